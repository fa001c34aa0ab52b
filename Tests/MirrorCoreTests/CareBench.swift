import Locking
import MirrorTesting
import OCI
import Testing

@testable import MirrorCore

/// A mirror in memory, and a caretaker of it.
struct CareBench {
    struct Image {
        var repository: String
        var digest: Digest
        var blobs: [Digest]
    }

    let bench = Bench()
    let caretaker: Caretaker

    /// With an index that knows all that is on the disk, or with one that is new.
    init(isIndexNew: Bool = false) {
        if !isIndexNew { bench.index.post([.rebuilt]) }
        caretaker = Caretaker(of: bench.mirror, index: bench.index, store: bench.store) { 4096 }
    }

    /// Turns the clock to the time of day, by which the index in memory notes uses.
    func catchUp() {
        let now = bench.clock.timekeeper.wall()
        bench.clock.advance(by: .milliseconds(WallTime.now().milliseconds - now.milliseconds + 60_000))
    }

    /// Adds an image to the Hub; layers of one text are one blob.
    func publish(_ repository: String, _ tag: String?, _ layers: String...) -> Image {
        let blobs = layers.map { bench.hub.add(blob: Array($0.utf8)) }
        let document = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)","config":\(descriptor(blobs[0], layers[0].utf8.count)),\
            "layers":[\(zip(blobs, layers).dropFirst().map { descriptor($0, $1.utf8.count) }.joined(separator: ","))]}
            """
        return Image(repository: repository, digest: bench.hub.add(tag: tag, manifest: document), blobs: blobs)
    }

    /// Adds an index of images under a tag.
    func publish(index tag: String, of images: [(platform: String, image: Image)]) throws -> Digest {
        let entries = try images.map { platform, image in
            let parts = platform.split(separator: "/")
            let size = try #require(bench.hub.bytes(ofManifest: image.digest)).count
            return """
                {"mediaType":"\(MediaType.ociManifest)","digest":"\(image.digest)","size":\(size),\
                "platform":{"os":"\(parts[0])","architecture":"\(parts[1])"}}
                """
        }
        let document = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociIndex)","manifests":[\(entries.joined(separator: ","))]}
            """
        return bench.hub.add(tag: tag, manifest: document, mediaType: MediaType.ociIndex)
    }

    private func descriptor(_ digest: Digest, _ size: Int) -> String {
        #"{"mediaType":"application/octet-stream","digest":"\#(digest)","size":\#(size)}"#
    }

    /// Pulls a manifest by a reference, and an image's blobs.
    func pull(_ reference: String, _ image: Image) async throws {
        _ = try await bench.manifest(reference, image.repository)
        for blob in image.blobs { _ = try await bench.blob(blob, image.repository) }
        await bench.settled()
    }

    @discardableResult
    func reports(_ task: CareTask) async throws -> [CareReport] {
        let found = Locked<[CareReport]>([])
        try await caretaker.perform(task) { report in found.withLock { $0.append(report) } }
        return found.withLock { $0 }
    }

    func images(incompleteOnly: Bool = false) async throws -> [ImageHolding] {
        try await reports(.list(incompleteOnly: incompleteOnly))
            .compactMap { if case .image(let image) = $0 { image } else { nil } }
    }

    func show(_ name: String) async throws -> ImageHolding {
        let reports = try await reports(.show(name))
        guard reports.count == 1, case .held(let holding) = reports[0] else {
            throw CareError.failed("\(reports)")
        }
        return holding
    }

    func damage(_ task: CareTask) async throws -> [DamagedObject] {
        try await reports(task).compactMap { if case .damage(let damage) = $0 { damage } else { nil } }
    }

    func verified(_ task: CareTask = .verify(VerifyOptions())) async throws -> VerifyTotal {
        for case .verified(let total) in try await reports(task) { return total }
        throw CareError.failed("no end")
    }

    func removed(_ task: CareTask) async throws -> RemovedTotal {
        for case .removed(let total) in try await reports(task) { return total }
        throw CareError.failed("no end")
    }

    func isStored(_ digest: Digest, _ kind: ContentKind) -> Bool {
        bench.index.storedObject(digest, kind) != nil && bench.store.bytes(of: digest, kind) != nil
    }
}

extension FakeUpstream {
    func bytes(ofManifest digest: Digest) -> [UInt8]? {
        var bytes: [UInt8]?
        change { bytes = $0.manifests[digest]?.bytes }
        return bytes
    }
}
