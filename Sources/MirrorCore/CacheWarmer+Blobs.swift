package import OCI

extension CacheWarmer {
    package func holdings(
        of blobs: [Digest],
        in repository: Repository
    ) async throws(MirrorError) -> [BlobHolding] {
        let left = Dictionary(
            core.context.store.unfinishedBlobs.map { ($0.digest, $0.received) },
            uniquingKeysWith: max
        )
        return blobs.map { digest in
            guard core.index.blobSize(digest) != nil else {
                return .missing(received: core.flights.flight(for: digest)?.received ?? left[digest] ?? 0)
            }
            return core.index.membership(of: digest, as: .blob, in: repository) == nil ? .unproved : .held
        }
    }

    package func warm(
        _ blob: Digest,
        in repository: Repository,
        progress: @escaping @Sendable (Int) -> Void
    ) async throws(MirrorError) {
        try await patiently { _ throws(MirrorError) in
            guard case .growing(let growing, _) = try await core.blob(blob, in: repository, for: caller()) else {
                return
            }
            let failure = await follow(growing, progress)
            if Task.isCancelled { throw .shuttingDown }
            // It is handed out before it has landed.
            await core.flights.end(of: blob)
            if core.index.blobSize(blob) == nil { throw failure ?? .unavailable(reason: "not_kept", retryAfter: nil) }
        }
    }

    /// Goes along with a flight to its end, reading nothing; returns how it failed, if it did.
    private func follow(_ blob: any GrowingBlob, _ progress: (Int) -> Void) async -> MirrorError? {
        let (wakes, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        var iterator = wakes.makeAsyncIterator()
        let reader = blob.reader(of: 0..<(blob.length ?? .max))
        var passed = 0
        while !Task.isCancelled {
            switch reader.next(wake: { wake.yield() }) {
            case .send(_, let range): progress(range.upperBound)
            // There is no room for it: it is passed through, to nobody.
            case .sendBytes(let bytes):
                passed += bytes.count
                progress(passed)
            case .wait: guard await iterator.next() != nil else { return nil }
            case .finished: return nil
            case .failed(let error): return error
            }
        }
        return nil
    }
}
