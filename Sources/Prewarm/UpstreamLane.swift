import MirrorCore
import OCI
import Ocync

/// The images that come from one upstream, one after the other.
struct UpstreamLane: Sendable {
    /// Images whose blobs may be on their way at one time: enough to be busy while the last bytes of one come.
    private static let openImages = 3

    private let images: [PlannedImage]
    private let options: PrewarmOptions
    private let mirror: any WarmMirror
    private let reader: ManifestReader
    private let time: Timekeeper
    private let observe: PrewarmObserver

    init(
        _ images: [PlannedImage],
        _ options: PrewarmOptions,
        _ mirror: any WarmMirror,
        _ reader: ManifestReader,
        _ time: Timekeeper,
        _ observe: @escaping PrewarmObserver
    ) {
        self.images = images
        self.options = options
        self.mirror = mirror
        self.reader = reader
        self.time = time
        self.observe = observe
    }

    func work() async -> [ImageResult] {
        let open = Places(Self.openImages)
        let blobs = BlobFetches(mirror, Places(options.concurrentBlobs), time, observe)
        return await withTaskGroup(of: ImageResult.self) { group in
            for image in images {
                if image.isDone {
                    let result = ImageResult(image: image, status: .cached)
                    observe(.ended(result))
                    group.addTask { result }
                    continue
                }
                guard await open.take() else {
                    group.addTask { ImageResult(image: image, status: .left) }
                    continue
                }
                let start = time.monotonic()
                observe(.began(image.id))
                var contents = ImageContents(image, mirror, reader)
                await contents.fetchManifests()
                group.addTask { [contents] in
                    var result = await blobs.fetch(contents, of: image)
                    result.duration = time.monotonic() - start
                    open.give()
                    observe(.ended(result))
                    return result
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }
}

extension PlannedImage {
    /// Whether nothing has to be asked about it: not so where referrers are required, which may not have come with it.
    fileprivate var isDone: Bool { isCached && !artifacts.contains { $0.isRequired } }
}
