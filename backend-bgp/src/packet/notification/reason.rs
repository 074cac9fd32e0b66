//! The registered error codes and subcodes of NOTIFICATIONs.

/// The text of an error code.
pub(super) fn code_text(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "Message Header Error",
        2 => "OPEN Message Error",
        3 => "UPDATE Message Error",
        4 => "Hold Timer Expired",
        5 => "Finite State Machine Error",
        6 => "Cease",
        7 => "ROUTE-REFRESH Message Error",
        8 => "Send Hold Timer Expired",
        9 => "Loss of LSDB Synchronization",
        _ => return None,
    })
}

macro_rules! reasons {
    ($($name:ident = $code:literal / $subcode:literal $text:literal,)+) => {
        /// Why a session ends: one variant for each registered pair of error code and subcode (RFC
        /// 4271, 4486, 5492, 6608, 7313, 8538, 9234, 9384, 9687, 9815). Subcode 0 is "unspecific",
        /// or stands alone.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = concat!($text, " (", $code, "/", $subcode, ").")] $name,)+
        }

        impl Reason {
            /// All of them, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Error code and subcode.
            pub fn codes(self) -> (u8, u8) {
                match self {
                    $(Self::$name => ($code, $subcode),)+
                }
            }

            /// The reason of this code and subcode, if they are registered.
            pub fn from_codes(code: u8, subcode: u8) -> Option<Self> {
                match (code, subcode) {
                    $(($code, $subcode) => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// Its name in the registry.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

reasons! {
    HeaderUnspecific = 1 / 0 "Unspecific",
    ConnectionNotSynchronized = 1 / 1 "Connection Not Synchronized",
    BadMessageLength = 1 / 2 "Bad Message Length",
    BadMessageType = 1 / 3 "Bad Message Type",
    OpenUnspecific = 2 / 0 "Unspecific",
    UnsupportedVersion = 2 / 1 "Unsupported Version Number",
    BadPeerAs = 2 / 2 "Bad Peer AS",
    BadBgpIdentifier = 2 / 3 "Bad BGP Identifier",
    UnsupportedOptionalParameter = 2 / 4 "Unsupported Optional Parameter",
    AuthenticationFailure = 2 / 5 "Authentication Failure",
    UnacceptableHoldTime = 2 / 6 "Unacceptable Hold Time",
    UnsupportedCapability = 2 / 7 "Unsupported Capability",
    RoleMismatch = 2 / 11 "Role Mismatch",
    UpdateUnspecific = 3 / 0 "Unspecific",
    MalformedAttributeList = 3 / 1 "Malformed Attribute List",
    UnrecognizedWellKnown = 3 / 2 "Unrecognized Well-known Attribute",
    MissingWellKnown = 3 / 3 "Missing Well-known Attribute",
    AttributeFlags = 3 / 4 "Attribute Flags Error",
    AttributeLength = 3 / 5 "Attribute Length Error",
    InvalidOrigin = 3 / 6 "Invalid ORIGIN Attribute",
    AsRoutingLoop = 3 / 7 "AS Routing Loop",
    InvalidNextHop = 3 / 8 "Invalid NEXT_HOP Attribute",
    OptionalAttribute = 3 / 9 "Optional Attribute Error",
    InvalidNetworkField = 3 / 10 "Invalid Network Field",
    MalformedAsPath = 3 / 11 "Malformed AS_PATH",
    HoldTimerExpired = 4 / 0 "Hold Timer Expired",
    FsmUnspecified = 5 / 0 "Unspecified Error",
    UnexpectedInOpenSent = 5 / 1 "Receive Unexpected Message in OpenSent State",
    UnexpectedInOpenConfirm = 5 / 2 "Receive Unexpected Message in OpenConfirm State",
    UnexpectedInEstablished = 5 / 3 "Receive Unexpected Message in Established State",
    CeaseUnspecific = 6 / 0 "Unspecific",
    MaximumPrefixes = 6 / 1 "Maximum Number of Prefixes Reached",
    AdministrativeShutdown = 6 / 2 "Administrative Shutdown",
    PeerDeconfigured = 6 / 3 "Peer De-configured",
    AdministrativeReset = 6 / 4 "Administrative Reset",
    ConnectionRejected = 6 / 5 "Connection Rejected",
    OtherConfigurationChange = 6 / 6 "Other Configuration Change",
    ConnectionCollision = 6 / 7 "Connection Collision Resolution",
    OutOfResources = 6 / 8 "Out of Resources",
    HardReset = 6 / 9 "Hard Reset",
    BfdDown = 6 / 10 "BFD Down",
    InvalidRouteRefreshLength = 7 / 1 "Invalid Message Length",
    SendHoldTimerExpired = 8 / 0 "Send Hold Timer Expired",
    LossOfLsdbSynchronization = 9 / 0 "Loss of LSDB Synchronization",
}
