import MirrorCore

/// What decides when one more may go in; the ``WaitingRoom`` in front of it has those who wait.
///
/// Pure: moments are parameters, on a clock that never goes back.
protocol AdmissionRule: Sendable {
    /// What one who was let in holds.
    associatedtype Ticket: Sendable
    /// What is worth a line in the log.
    associatedtype Notice: Sendable

    /// Until when nobody is let in, if it is closed.
    var closedUntil: Duration? { get }

    /// What those are told who cannot wait until it opens.
    func refusal(at now: Duration) -> UpstreamError

    /// Lets time pass; says so when that opened it.
    mutating func advance(to now: Duration) -> Notice?

    /// Lets one in, if that may be now.
    mutating func admit(at now: Duration) -> Ticket?

    /// When time alone will let in the next one; `nil` when it takes somebody's leaving.
    func nextAdmission(at now: Duration) -> Duration?
}
