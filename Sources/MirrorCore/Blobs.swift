import Logging
package import OCI

/// Blobs: stored ones are served as files, missing ones by a flight that all askers share. DESIGN rules 11 to 15.
extension PullThrough {
    package func cachedBlob(_ digest: Digest, in repository: Repository, for caller: Caller) -> (any StoredFile)? {
        guard permits(repository, caller), index.membership(of: digest, as: .blob, in: repository) != nil else {
            return nil
        }
        guard let file = soundBlob(digest) else { return nil }
        index.touch(digest, as: .blob)
        return file
    }

    private func soundBlob(_ digest: Digest) -> (any StoredFile)? {
        index.blobSize(digest).flatMap { soundFile(digest, .blob, size: $0) }
    }

    /// A stored blob's file, whether the index knows it or not; `nil` when it is to be fetched.
    private func heldBlob(_ digest: Digest, _ inquiry: Inquiry) async throws(MirrorError) -> (any StoredFile)? {
        if let file = soundBlob(digest) { return file }
        return try await examined(digest, .blob, for: inquiry.caller, until: inquiry.deadline)
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
            if let file = try await heldBlob(digest, inquiry) {
                if !isProved(digest, in: repository) {
                    _ = try await prove(digest, .blob, inquiry)
                }
                index.touch(digest, as: .blob)
                return .stored(file, .hit)
            }
            if let flight = flights.handedOver(digest, in: repository, for: caller) {
                if !isProved(digest, in: repository) { _ = try await prove(digest, .blob, inquiry) }
                return .growing(BoardedFlight(flight, from: repository, for: caller, context), .passed)
            }
            let route = try await route(of: digest, inquiry)
            switch flights.depart(digest, by: route, for: caller) {
            case .departed(let flight):
                return try await board(flight, inquiry, isNew: true)
            case .underWay(let flight):
                flight.errand.join(caller)
                // To join a flight that another repository started, this one must be proved to have the blob.
                if !flight.hasSource(repository), !isProved(digest, in: repository) {
                    _ = try await prove(digest, .blob, inquiry)
                }
                if flight.hasSource(repository) || flight.add(repository) {
                    return try await board(flight, inquiry, isNew: false)
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
    /// The upstream is asked by a HEAD, which is free; while it cannot be, a claim of the repository's manifests is enough.
    private func route(of digest: Digest, _ inquiry: Inquiry) async throws(MirrorError) -> FlightRoute {
        let repository = inquiry.repository
        var direct = FlightRoute(sources: [FlightSource(repository: repository)])
        guard flights.flight(for: digest) == nil else { return direct }
        direct.mayTakeUp = try await mayTakeUp(digest, inquiry)
        let candidates = context.contentSources.candidates(for: digest, in: repository)
        guard !candidates.isEmpty, let length = try await knownLength(of: digest, inquiry) else { return direct }
        let sources = candidates.map { FlightSource(repository: repository, contentSource: $0.name) }
        return FlightRoute(sources: sources + direct.sources, length: length, mayTakeUp: direct.mayTakeUp)
    }

    /// Whether an earlier flight has left something that this repository may be given.
    ///
    /// It may have come for another repository, so a claim is not enough: a HEAD, which is free.
    private func mayTakeUp(_ digest: Digest, _ inquiry: Inquiry) async throws(MirrorError) -> Bool {
        guard let unfinished = context.store.unfinishedBlob(digest) else { return false }
        var length = claimedSize(of: digest, in: inquiry.repository)
        if !isProved(digest, in: inquiry.repository) {
            do throws(MirrorError) {
                length = try await prove(digest, .blob, inquiry).proof.size ?? length
            } catch {
                guard error.isOutage else { throw error }
                return false
            }
        }
        // Clients are told the noted length before anything of the rest has come: one that is disputed is not worth the risk.
        guard let length, let noted = unfinished.expectedLength, noted != length else { return true }
        await context.store.dropUnfinished(digest)
        return false
    }

    /// The length of a blob that the repository is known to have; `nil` where that cannot be found out for nothing.
    private func knownLength(of digest: Digest, _ inquiry: Inquiry) async throws(MirrorError) -> Int? {
        let claimed = claimedSize(of: digest, in: inquiry.repository)
        if let claimed, isProved(digest, in: inquiry.repository) { return claimed }
        return try await confirm(digest, .blob, inquiry)?.size ?? claimed
    }

    private func isProved(_ digest: Digest, in repository: Repository) -> Bool {
        index.membership(of: digest, as: .blob, in: repository) != nil
    }

    /// Waits for a flight's head.
    private func board(_ flight: Flight, _ inquiry: Inquiry, isNew: Bool) async throws(MirrorError) -> BlobAnswer {
        let repository = inquiry.repository
        // All of it is here; it is only being made durable.
        let isComplete = flight.isVerified
        if !isNew { context.metrics.add(to: .flightFollowers) }
        switch await flight.head(for: repository, until: inquiry.deadline) {
        case .success:
            let outcome: CacheOutcome =
                flight.handover != nil ? .passed : isNew ? .miss : isComplete ? .hit : .collapsed
            return .growing(BoardedFlight(flight, from: repository, for: inquiry.caller, context), outcome)
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
