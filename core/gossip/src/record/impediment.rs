//! Why a member says that its node is not to have VIPs, be it able to or not.

use std::fmt;

/// Makes the rows one enumeration, in this order: the number of the field by which others are told
/// (`record/fields.rs`), whether it is lasting, and what is to be said of the node.
macro_rules! impediments {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $is_lasting:literal, $text:literal;)+) => {
        /// A reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Impediment {
            $($(#[$doc])* $name,)+
        }

        impl Impediment {
            /// All of them, in their order.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            /// The number of its field.
            pub(super) fn number(self) -> u64 {
                match self {
                    $(Self::$name => $number,)+
                }
            }

            /// Whether the node counts for nothing as long as it is so. Otherwise VIPs are for it
            /// all the same: it only is no time to give it any, and what it has is to go to others
            /// if there are some.
            pub fn is_lasting(self) -> bool {
                match self {
                    $(Self::$name => $is_lasting,)+
                }
            }
        }

        impl fmt::Display for Impediment {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)+
                })
            }
        }
    };
}

// Numbers are those of the fields of a node in `fields.rs`, of which none may be used twice, or again;
// the next one is 9. Version 1 leaves out what is not there.
impediments! {
    /// Somebody has drained the node, or it is about to stop: its VIPs are to go to others.
    Draining = 5, false, "it is draining";
    /// A label or a condition of its Node says that it must not announce.
    Excluded = 6, true, "its node is excluded";
    /// MetalLB's speakers run, and may have any VIP.
    LeftToMetallb = 8, true, "MetalLB's speaker runs, as far as it knows";
}
