import Locking
import MirrorCore
import OCI

/// An upstream in memory, which counts what it is asked and holds back what a test wants held back.
final class FakeUpstream: Upstream {
    struct Content {
        var tags: [String: Digest] = [:]
        var manifests: [Digest: FetchedManifest] = [:]
        var blobs: [Digest: [UInt8]] = [:]
        /// What repositories have, when it is not everything.
        var only: [String: Set<Digest>] = [:]
        var referrers: ReferrersAnswer = .unsupported
        /// The error of the next requests of a kind, oldest first; `nil` lets one through.
        var failures: [Kind: [UpstreamError?]] = [:]
        /// Fails every request of a kind.
        var outage: [Kind: UpstreamError] = [:]
        /// Claims that its last requests failed.
        var isFailing = false
        var omitsLength = false
        /// Sends blobs in pieces of this size.
        var piece = 64 << 10
        /// Blob bodies stop here until the gate opens.
        var gate: (offset: Int, gate: Gate)?
        /// HEADs of tags wait here.
        var headGate: Gate?
        /// Reads of manifests wait here, before they fail or succeed.
        var manifestGate: Gate?
        /// Breaks the n-th blob transfer after so many bytes of it.
        var cuts: [Int] = []
        /// Spoils the byte at the offset, in so many transfers.
        var spoiled: (offset: Int, times: Int)?
        var ignoresRange = false
        /// How often a sink has let a transfer rest, and what all have taken.
        var rests = 0
        var refusals = 0
        var handedOver = 0
        /// Fails blob transfers after their last byte.
        var endsWith: UpstreamError?
    }

    enum Kind: Hashable, Sendable {
        case headManifest
        case manifest
        case headBlob
        case blob
        case tags
        case referrers
    }

    struct Request: Hashable, Sendable {
        var kind: Kind
        var repository: String
        var reference: String
        var offset = 0
    }

    let name: UpstreamName
    var isFailing: Bool { content.withLock { $0.isFailing } }
    private let content = Locked(Content())
    private let log = Locked<[Request]>([])
    private let errand = Locked<Errand?>(nil)

    init(_ name: UpstreamName = .dockerHub) {
        self.name = name
    }

    func change(_ body: (inout Content) -> Void) {
        content.withLock { body(&$0) }
    }

    /// How often a sink has let a transfer rest.
    var rests: Int { content.withLock { $0.rests } }

    /// How many transfers sinks have refused, at their heads or later.
    var refusals: Int { content.withLock { $0.refusals } }

    /// The bytes of blobs that sinks have taken.
    var handedOver: Int { content.withLock { $0.handedOver } }

    /// The errand of the last read of a manifest.
    var lastErrand: Errand? { errand.withLock { $0 } }

    var requests: [Request] { log.withLock { $0 } }

    func count(_ kind: Kind) -> Int { requests.filter { $0.kind == kind }.count }

    /// Adds a manifest under a tag; returns its digest.
    @discardableResult
    func add(tag: String?, manifest document: String, mediaType: String? = MediaType.ociManifest) -> Digest {
        let bytes = Array(document.utf8)
        let digest = sha256(bytes)
        change { content in
            content.manifests[digest] = FetchedManifest(bytes: bytes, mediaType: mediaType)
            if let tag { content.tags[tag] = digest }
        }
        return digest
    }

    @discardableResult
    func add(blob bytes: [UInt8]) -> Digest {
        let digest = sha256(bytes)
        change { $0.blobs[digest] = bytes }
        return digest
    }

    private func enter(
        _ kind: Kind,
        _ repository: RepositoryName,
        _ reference: String,
        offset: Int = 0
    ) throws(UpstreamError) {
        log.withLock {
            $0.append(Request(kind: kind, repository: repository.text, reference: reference, offset: offset))
        }
        let failure: UpstreamError? = content.withLock { content in
            if let outage = content.outage[kind] { return outage }
            guard content.failures[kind]?.isEmpty == false else { return nil }
            return content.failures[kind]?.removeFirst()
        }
        if let failure { throw failure }
    }

    private func has(_ digest: Digest, _ repository: RepositoryName) -> Bool {
        content.withLock { $0.only[repository.text]?.contains(digest) ?? true }
    }

    private func find(
        _ reference: Reference,
        _ repository: RepositoryName
    ) throws(UpstreamError) -> (Digest, FetchedManifest) {
        let found: (Digest, FetchedManifest)? = content.withLock { content in
            let digest: Digest? =
                switch reference {
                case .tag(let tag): content.tags[tag.text]
                case .digest(let digest): digest
                }
            return digest.flatMap { digest in content.manifests[digest].map { (digest, $0) } }
        }
        guard let found, has(found.0, repository) else { throw .notFound }
        return found
    }

    func headManifest(
        _ reference: Reference,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> ManifestDescription {
        try enter(.headManifest, repository, "\(reference)")
        let gate = content.withLock { $0.headGate }
        // Cancelling ends the request.
        await withTaskCancellationHandler {
            await gate?.wait()
        } onCancel: {
            gate?.open()
        }
        if Task.isCancelled { throw .cancelled }
        let (digest, manifest) = try find(reference, repository)
        return ManifestDescription(digest: digest, mediaType: manifest.mediaType, size: manifest.bytes.count)
    }

    func manifest(
        _ reference: Reference,
        in repository: RepositoryName,
        for newErrand: Errand
    ) async throws(UpstreamError) -> FetchedManifest {
        errand.withLock { $0 = newErrand }
        if let gate = content.withLock({ $0.manifestGate }) { await gate.wait() }
        try enter(.manifest, repository, "\(reference)")
        return try find(reference, repository).1
    }

    func headBlob(
        _ digest: Digest,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> Int? {
        try enter(.headBlob, repository, "\(digest)")
        let size = content.withLock { $0.blobs[digest]?.count }
        guard let size, has(digest, repository) else { throw .notFound }
        return size
    }

    func blob(
        _ digest: Digest,
        in repository: RepositoryName,
        from offset: Int,
        into sink: any BlobSink,
        for errand: Errand
    ) async throws(UpstreamError) {
        try enter(.blob, repository, "\(digest)", offset: offset)
        let (bytes, plan, cut) = content.withLock { content in
            let cut = content.cuts.isEmpty ? nil : content.cuts.removeFirst()
            var bytes = content.blobs[digest]
            if let spoiled = content.spoiled, spoiled.times > 0 {
                bytes?[spoiled.offset] ^= 1
                content.spoiled?.times -= 1
            }
            return (bytes, content, cut)
        }
        guard let bytes, has(digest, repository) else { throw .notFound }
        let start = plan.ignoresRange ? 0 : offset
        if start > 0, start >= bytes.count { throw .rangeRefused }
        guard sink.begin(BlobHead(offset: start, length: plan.omitsLength ? nil : bytes.count)) else {
            content.withLock { $0.refusals += 1 }
            throw .refusedBySink
        }
        var position = start
        while position < bytes.count {
            var end = min(position + plan.piece, bytes.count)
            if let gate = plan.gate, position < gate.offset { end = min(end, gate.offset) }
            if let gate = plan.gate, position == gate.offset { await gate.gate.wait() }
            if let cut { end = min(end, start + cut) }
            try await hand(bytes[position..<end], to: sink)
            position = end
            if Task.isCancelled { throw .cancelled }
            if let cut, position >= start + cut, position < bytes.count { throw .unavailable(.truncated) }
        }
        if let error = plan.endsWith { throw error }
    }

    /// Hands over a piece, as often as the sink wants a rest first.
    private func hand(_ piece: ArraySlice<UInt8>, to sink: any BlobSink) async throws(UpstreamError) {
        while true {
            let intake = sink.receive(piece.span)
            switch intake {
            case .taken:
                content.withLock { $0.handedOver += piece.count }
                return
            case .refused:
                content.withLock { $0.refusals += 1 }
                throw .refusedBySink
            case .full(let register):
                content.withLock { $0.rests += 1 }
                let (stream, goOn) = AsyncStream<Void>.makeStream()
                register { goOn.yield() }
                for await _ in stream { break }
                if Task.isCancelled { throw .cancelled }
            }
        }
    }

    func tags(in repository: RepositoryName, for errand: Errand) async throws(UpstreamError) -> [String] {
        try enter(.tags, repository, "")
        return content.withLock { Array($0.tags.keys) }
    }

    func referrers(
        of digest: Digest,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> ReferrersAnswer {
        try enter(.referrers, repository, "\(digest)")
        return content.withLock { $0.referrers }
    }
}
