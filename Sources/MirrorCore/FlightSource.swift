/// Where a flight may get its blob: from the upstream of a repository, or in its place from a registry that may have the
/// same content.
struct FlightSource: Hashable, Sendable {
    /// The repository that has the blob; its followers came by it.
    var repository: Repository
    /// The content source that is asked; `nil` is the repository's own upstream.
    var contentSource: UpstreamName?

    /// The registry that is asked.
    var registry: UpstreamName { contentSource ?? repository.upstream }
}

/// The way that a flight sets out on.
struct FlightRoute: Hashable, Sendable {
    /// In the order in which they are tried.
    var sources: [FlightSource]
    /// The length of the blob, where it is known beforehand; with content sources it is.
    var length: Int?
    /// Whether the flight may go on from what an earlier one has left, whoever that was for: its repository is proved.
    var mayTakeUp = false
}
