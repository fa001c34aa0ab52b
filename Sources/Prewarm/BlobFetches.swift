import Locking
import MirrorCore
import OCI

/// Fetches the blobs of images, a bounded number at one time, in the order in which they are asked for.
struct BlobFetches: Sendable {
    private let mirror: any WarmMirror
    private let places: Places
    /// What several images need is counted for the first only.
    private let counted = Locked<Set<Digest>>([])
    private let time: Timekeeper
    private let observe: PrewarmObserver

    init(_ mirror: any WarmMirror, _ places: Places, _ time: Timekeeper, _ observe: @escaping PrewarmObserver) {
        self.mirror = mirror
        self.places = places
        self.time = time
        self.observe = observe
    }

    /// Fetches what an image's manifests name, and tells what came of the image.
    func fetch(_ contents: ImageContents, of image: PlannedImage) async -> ImageResult {
        var result = ImageResult(image: image, status: .fetched)
        result.manifestReads = contents.manifestReads
        result.bytes = contents.bytes
        result.problem = contents.problem ?? contents.remark
        let outcome = await fetch(contents.blobs, of: image)
        result.bytes += outcome.bytes
        if let failure = contents.problem ?? outcome.failure?.explanation(of: "a blob") {
            result.problem = failure
            result.status = .failed
        }
        // Looked at for its referrers' sake only, which were here too.
        if image.isCached, result.status == .fetched, result.bytes == 0 { result.status = .cached }
        if contents.stop != nil || Task.isCancelled && outcome.failure != nil { result.status = .left }
        return result
    }

    private struct Outcome {
        var bytes = 0
        var failure: MirrorError?
    }

    private func fetch(_ blobs: [Descriptor], of image: PlannedImage) async -> Outcome {
        let missing: [(blob: Descriptor, received: Int)]
        do throws(MirrorError) {
            missing = try await lookUp(blobs, in: image.repository)
        } catch {
            return Outcome(failure: error)
        }
        let progress = ImageProgress(
            image.id,
            received: Dictionary(missing.map { ($0.blob.digest, $0.received) }, uniquingKeysWith: max),
            observe
        )
        progress.begin(total: missing.reduce(0) { $0 + $1.blob.size })
        return await withTaskGroup(of: Outcome.self) { group in
            for (blob, received) in missing {
                group.addTask { await fetch(blob, after: received, in: image.repository, progress) }
            }
            return await group.reduce(into: Outcome()) { total, outcome in
                total.bytes += outcome.bytes
                total.failure = total.failure ?? outcome.failure
            }
        }
    }

    /// The blobs that are not held; what another repository has brought counts as received.
    private func lookUp(
        _ blobs: [Descriptor],
        in repository: Repository
    ) async throws(MirrorError) -> [(blob: Descriptor, received: Int)] {
        let holdings = try await mirror.holdings(of: blobs.map(\.digest), in: repository)
        return zip(blobs, holdings)
            .compactMap { blob, holding in
                switch holding {
                case .held: nil
                case .unproved: (blob, blob.size)
                case .missing(let received): (blob, min(received, blob.size))
                }
            }
    }

    private func fetch(
        _ blob: Descriptor,
        after received: Int,
        in repository: Repository,
        _ progress: ImageProgress
    ) async -> Outcome {
        guard await places.take() else { return Outcome(failure: .shuttingDown) }
        defer { places.give() }
        do throws(MirrorError) {
            try await Patience(time)
                .overcome { () async throws(MirrorError) in
                    try await self.mirror.warm(blob.digest, in: repository) { progress.set(blob.digest, to: $0) }
                }
            progress.set(blob.digest, to: blob.size)
            let isFirst = counted.withLock { $0.insert(blob.digest).inserted }
            return Outcome(bytes: isFirst ? blob.size - received : 0)
        } catch {
            return Outcome(failure: error)
        }
    }
}

/// The bytes of one image that are here, of all its blobs that were missing.
final class ImageProgress: Sendable {
    private let image: PlannedImage.ID
    private let received: Locked<[Digest: Int]>
    private let observe: PrewarmObserver

    init(_ image: PlannedImage.ID, received: [Digest: Int], _ observe: @escaping PrewarmObserver) {
        self.image = image
        self.received = Locked(received)
        self.observe = observe
    }

    func begin(total: Int) {
        let sum = received.withLock { $0.values.reduce(0, +) }
        observe(.sized(image, total: total, received: sum))
    }

    func set(_ blob: Digest, to count: Int) {
        let sum = received.withLock { received -> Int? in
            guard received[blob] != count else { return nil }
            received[blob] = count
            return received.values.reduce(0, +)
        }
        if let sum { observe(.progress(image, received: sum)) }
    }
}
