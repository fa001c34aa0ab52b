import MirrorCore
import OCI
import Ocync

/// The manifests of an image, got one after the other; what comes of it are the blobs to be fetched.
struct ImageContents {
    /// In the order in which they are fetched, each once: those of referrers first, as they are small.
    private(set) var blobs: [Descriptor] = []
    private(set) var manifestReads = 0
    private(set) var bytes = 0
    /// Why a part of it, or all, cannot come.
    private(set) var problem: String?
    /// What is odd, and no failure.
    private(set) var remark: String?
    /// Why the rest of its manifests were not read.
    private(set) var stop: StopReason?

    private let image: PlannedImage
    private let mirror: any WarmMirror
    private let reader: ManifestReader
    private var seen: Set<Digest> = []

    init(_ image: PlannedImage, _ mirror: any WarmMirror, _ reader: ManifestReader) {
        self.image = image
        self.mirror = mirror
        self.reader = reader
    }

    /// Gets the manifests, as far as that goes.
    ///
    /// Referrers are looked up before any blob is fetched: an image whose blobs are all here counts as done, and nobody
    /// asks about its referrers again.
    mutating func fetchManifests() async {
        let root = Descriptor(mediaType: image.mediaType, digest: image.digest, size: image.size)
        let needsImage = !image.isCached
        if needsImage { await visit(root, depth: 0) }
        guard stop == nil, problem == nil, !image.artifacts.isEmpty else { return }
        let imageBlobs = blobs
        blobs = []
        await visitReferrers()
        blobs += imageBlobs
    }

    private mutating func visit(_ descriptor: Descriptor, depth: Int) async {
        guard depth < ImageWalk.deepest, stop == nil, seen.insert(descriptor.digest).inserted else { return }
        guard let document = await read(descriptor), let manifest = Manifest(document) else { return }
        blobs += manifest.blobs.filter { !$0.isForeign && seen.insert($0.digest).inserted }
        do throws(ContentChoice.NothingWanted) {
            for child in try image.choice.children(of: manifest) { await visit(child, depth: depth + 1) }
        } catch {
            problem = "\(error)"
        }
    }

    private mutating func read(_ descriptor: Descriptor) async -> [UInt8]? {
        do throws(ManifestReader.Failure) {
            let manifest = try await reader.manifest(descriptor.digest, in: image.repository)
            if manifest.wasRead {
                manifestReads += 1
                bytes += manifest.bytes.count
            }
            return manifest.bytes
        } catch {
            switch error {
            case .stopped(let reason): stop = reason
            case .failed(let error): problem = problem ?? error.explanation(of: "manifest \(descriptor.digest)")
            }
            return nil
        }
    }

    // MARK: - Referrers

    private mutating func visitReferrers() async {
        let found: [Referrer]
        do throws(MirrorError) {
            let document = try await mirror.referrers(of: image.digest, in: image.repository)
            found = ReferrersIndex(document)?.referrers ?? []
        } catch {
            guard !Task.isCancelled else {
                stop = .interrupted
                return
            }
            remark = "without its referrers: \(error.explanation(of: "their list"))"
            return
        }
        let wanted = found.filter(isWanted)
        if wanted.isEmpty, image.artifacts.contains(where: \.isRequired) {
            problem = "it has none of the referrers that require_artifacts asks for"
        }
        for referrer in wanted { await visitReferrer(referrer.descriptor) }
    }

    private func isWanted(_ referrer: Referrer) -> Bool {
        image.artifacts.contains { filter in
            filter.wants(artifactType: referrer.artifactType, mediaType: referrer.descriptor.mediaType ?? "")
        }
    }

    /// One level: what refers to a referrer stays away, as with ocync.
    private mutating func visitReferrer(_ descriptor: Descriptor) async {
        guard stop == nil, seen.insert(descriptor.digest).inserted else { return }
        guard let document = await read(descriptor), let manifest = Manifest(document) else { return }
        blobs += manifest.blobs.filter { seen.insert($0.digest).inserted }
    }
}
