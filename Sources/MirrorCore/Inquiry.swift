import OCI

/// What a caller asks of a repository, and what it takes to answer.
struct Inquiry: Sendable {
    var caller: Caller
    let repository: Repository
    let upstream: any Upstream
    let policy: UpstreamPolicy
    /// By when the head of the answer has to have left.
    var deadline: Deadline

    /// The same, asked by the mirror itself: nobody waits for the answer.
    var inBackground: Inquiry {
        var inquiry = self
        inquiry.caller.purpose = .refresh
        return inquiry
    }

    /// The same, to be answered within a duration from now at the latest.
    func within(_ duration: Duration) -> Inquiry {
        var inquiry = self
        inquiry.deadline = deadline.orSooner(duration)
        return inquiry
    }
}
