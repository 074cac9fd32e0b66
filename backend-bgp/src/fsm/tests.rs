use super::*;

const STATES: [State; 6] = [
    State::Idle,
    State::Connect,
    State::Active,
    State::OpenSent,
    State::OpenConfirm,
    State::Established,
];

const EVENTS: [Event; 16] = [
    Event::Start,
    Event::Stop,
    Event::ConnectRetryExpired,
    Event::HoldExpired,
    Event::KeepaliveExpired,
    Event::SendHoldExpired,
    Event::TcpConnected,
    Event::TcpFailed,
    Event::Open,
    Event::HeaderError,
    Event::OpenError,
    Event::Notification,
    Event::Keepalive,
    Event::Update,
    Event::UpdateError,
    Event::RouteRefresh,
];

/// Everything that happens; a pair that is not here changes nothing and does nothing. `WAIT` stands
/// for the actions of that name.
const TABLE: &str = "
Idle        Start               Connect     Connect, Arm(ConnectRetry)

Connect     Stop                Idle        Disconnect
Connect     ConnectRetryExpired Active      WAIT
Connect     TcpConnected        OpenSent    Disarm(ConnectRetry), SendOpen, Arm(Hold)
Connect     TcpFailed           Active      WAIT

Active      Stop                Idle        Disconnect
Active      ConnectRetryExpired Connect     Connect, Arm(ConnectRetry)

OpenSent    Stop                Idle        Notify(Stop), Disconnect
OpenSent    HoldExpired         Active      Notify(HoldExpired), WAIT
OpenSent    SendHoldExpired     Active      Notify(SendHoldExpired), WAIT
OpenSent    TcpFailed           Active      WAIT
OpenSent    Open                OpenConfirm SendKeepalive, Arm(Keepalive), Arm(Hold)
OpenSent    HeaderError         Active      Notify(Message), WAIT
OpenSent    OpenError           Active      Notify(Message), WAIT
OpenSent    Notification        Active      WAIT
OpenSent    Keepalive           Active      Notify(Unexpected(OpenSent)), WAIT
OpenSent    Update              Active      Notify(Unexpected(OpenSent)), WAIT
OpenSent    UpdateError         Active      Notify(Unexpected(OpenSent)), WAIT
OpenSent    RouteRefresh        Active      Notify(Unexpected(OpenSent)), WAIT

OpenConfirm Stop                Idle        Notify(Stop), Disconnect
OpenConfirm HoldExpired         Active      Notify(HoldExpired), WAIT
OpenConfirm KeepaliveExpired    OpenConfirm SendKeepalive, Arm(Keepalive)
OpenConfirm SendHoldExpired     Active      Notify(SendHoldExpired), WAIT
OpenConfirm TcpFailed           Active      WAIT
OpenConfirm Open                Active      Notify(Unexpected(OpenConfirm)), WAIT
OpenConfirm HeaderError         Active      Notify(Message), WAIT
OpenConfirm OpenError           Active      Notify(Message), WAIT
OpenConfirm Notification        Active      WAIT
OpenConfirm Keepalive           Established Arm(Hold), Announce
OpenConfirm Update              Active      Notify(Unexpected(OpenConfirm)), WAIT
OpenConfirm UpdateError         Active      Notify(Unexpected(OpenConfirm)), WAIT
OpenConfirm RouteRefresh        Active      Notify(Unexpected(OpenConfirm)), WAIT

Established Stop                Idle        Notify(Stop), Disconnect
Established HoldExpired         Active      Notify(HoldExpired), WAIT
Established KeepaliveExpired    Established SendKeepalive, Arm(Keepalive)
Established SendHoldExpired     Active      Notify(SendHoldExpired), WAIT
Established TcpFailed           Active      WAIT
Established Open                Active      Notify(Unexpected(Established)), WAIT
Established HeaderError         Active      Notify(Message), WAIT
Established OpenError           Active      Notify(Unexpected(Established)), WAIT
Established Notification        Active      WAIT
Established Keepalive           Established Arm(Hold)
Established Update              Established Arm(Hold)
Established UpdateError         Active      Notify(Message), WAIT
Established RouteRefresh        Established Arm(Hold), Resend
";

#[test]
fn every_event_in_every_state() {
    let mut rows: Vec<String> = TABLE
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    for state in STATES {
        for event in EVENTS {
            let (after, actions) = next(state, event);
            let pair = format!("{:<11} {:<19} ", state.to_string(), format!("{event:?}"));
            let actions = format!("{actions:?}").replace("Disconnect, Arm(ConnectRetry)", "WAIT");
            let actual = format!(
                "{pair}{:<11} {}",
                after.to_string(),
                actions.trim_matches(['[', ']'])
            );
            let expected = match rows.iter().position(|row| row.starts_with(&pair)) {
                Some(at) => rows.remove(at),
                None => format!("{pair}{:<11} ", state.to_string()),
            };
            assert_eq!(actual, expected);
        }
    }
    assert_eq!(
        rows,
        Vec::<String>::new(),
        "rows of pairs that do not exist"
    );
}

#[test]
fn every_end_of_a_connection_waits_and_only_a_stop_idles() {
    for state in STATES {
        for event in EVENTS {
            let (after, actions) = next(state, event);
            if after == State::Idle {
                assert!(state == State::Idle || event == Event::Stop);
            }
            if after == State::Active && state != State::Active {
                assert!(actions.ends_with(WAIT));
            }
        }
    }
}
