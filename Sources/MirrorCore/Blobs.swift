import Logging
package import OCI

/// Blobs: stored ones are served as files, missing ones by a flight that all askers share. DESIGN rules 11 to 15.
extension PullThrough {
    package func cachedBlob(_ digest: Digest, in repository: Repository, for caller: Caller) -> (any StoredFile)? {
        guard permits(repository, caller), index.membership(of: digest, as: .blob, in: repository) != nil else {
            return nil
        }
        // What cannot be opened now is for the long way, which can say why.
        return (try? storedBlob(digest)) ?? nil
    }

    /// A stored blob's file; forgets one that has gone or is short.
    private func storedBlob(_ digest: Digest) throws(MirrorError) -> (any StoredFile)? {
        guard let size = index.blobSize(digest) else { return nil }
        if let file = try open(digest, .blob), file.size == size { return file }
        noteLoss(of: digest, .blob)
        return nil
    }

    package func blob(
        _ digest: Digest,
        in repository: Repository,
        for caller: Caller
    ) async throws(MirrorError) -> BlobAnswer {
        let inquiry = try inquire(of: repository, for: caller)
        let deadline = inquiry.deadline
        try recall(.content(digest, .blob), in: repository)
        while deadline.remaining > .zero {
            if let file = try storedBlob(digest) {
                if !isProved(digest, in: repository) {
                    _ = try await prove(digest, .blob, inquiry)
                }
                return .stored(file, .hit)
            }
            let route = try await route(of: digest, inquiry)
            switch flights.depart(digest, by: route, for: caller) {
            case .departed(let flight):
                return try await board(flight, from: repository, isNew: true, deadline)
            case .underWay(let flight):
                flight.errand.join(caller)
                // To join a flight that another repository started, this one must be proved to have the blob.
                if !flight.hasSource(repository), !isProved(digest, in: repository) {
                    _ = try await prove(digest, .blob, inquiry)
                }
                if flight.hasSource(repository) || flight.add(repository) {
                    return try await board(flight, from: repository, isNew: false, deadline)
                }
                // Given up meanwhile: look again, once it is out of the table.
                await Task.yield()
            case .landed: await Task.yield()
            case .closed: throw .shuttingDown
            }
        }
        throw .tooSlow
    }

    /// The way that a blob is to come: content sources first, if the repository is known to have it.
    ///
    /// A claim of the repository's own manifests is enough, and the upstream is asked nothing; else a HEAD, which is free.
    private func route(of digest: Digest, _ inquiry: Inquiry) async throws(MirrorError) -> FlightRoute {
        let repository = inquiry.repository
        let direct = FlightRoute(sources: [FlightSource(repository: repository)])
        guard flights.flight(for: digest) == nil else { return direct }
        let candidates = context.contentSources.candidates(for: digest, in: repository)
        guard !candidates.isEmpty, let length = try await knownLength(of: digest, inquiry) else { return direct }
        let sources = candidates.map { FlightSource(repository: repository, contentSource: $0.name) }
        return FlightRoute(sources: sources + direct.sources, length: length)
    }

    /// The length of a blob that the repository is known to have; `nil` where that cannot be found out for nothing.
    private func knownLength(of digest: Digest, _ inquiry: Inquiry) async throws(MirrorError) -> Int? {
        if let claimed = claimedSize(of: digest, in: inquiry.repository) { return claimed }
        do throws(MirrorError) {
            return try await prove(digest, .blob, inquiry).proof.size
        } catch {
            guard error.isOutage else { throw error }
            return nil
        }
    }

    private func isProved(_ digest: Digest, in repository: Repository) -> Bool {
        index.membership(of: digest, as: .blob, in: repository) != nil
    }

    /// Waits for a flight's head.
    private func board(
        _ flight: Flight,
        from repository: Repository,
        isNew: Bool,
        _ deadline: Deadline
    ) async throws(MirrorError) -> BlobAnswer {
        // All of it is here; it is only being made durable.
        let isComplete = flight.isVerified
        if !isNew { context.metrics.add(to: .flightFollowers) }
        switch await flight.head(for: repository, until: deadline) {
        case .success: return .growing(flight, isNew ? .miss : isComplete ? .hit : .collapsed)
        case .failure(let error):
            if error == .blobUnknown || error == .denied {
                remember(error, of: .content(flight.digest, .blob), in: repository)
            }
            throw error
        case nil: throw .tooSlow
        }
    }

    package func blobLength(
        _ digest: Digest,
        in repository: Repository,
        for caller: Caller
    ) async throws(MirrorError) -> BlobLength {
        let inquiry = try inquire(of: repository, for: caller)
        try recall(.content(digest, .blob), in: repository)
        let known = index.blobSize(digest) ?? flights.flight(for: digest)?.length
        if let known, isProved(digest, in: repository) || flights.flight(for: digest)?.hasSource(repository) == true {
            return BlobLength(length: known, outcome: .hit)
        }
        let (proof, isJoined) = try await prove(digest, .blob, inquiry)
        let length = proof.size ?? known ?? index.claimedSize(of: digest)
        return BlobLength(length: length, outcome: isJoined ? .collapsed : .miss)
    }
}
