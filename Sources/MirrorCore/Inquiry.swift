import OCI

/// What a caller asks of a repository, and what it takes to answer.
struct Inquiry: Sendable {
    let caller: Caller
    let repository: Repository
    let upstream: any Upstream
    let policy: UpstreamPolicy
    /// By when the head of the answer has to have left.
    let deadline: Deadline
}
