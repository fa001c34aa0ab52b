import Foundation
import LMDBIndex
import Logging
import MirrorCore
import OCI

/// An index with 10⁴ blobs, and the thousand images that have ten of them each, with a tag for every image.
struct SampleIndex {
    static let blobs = 10_000
    static let images = 1000
    private static let layers = blobs / images

    let directory: String

    struct Unfilled: Error, CustomStringConvertible {
        var directory: String
        var description: String { "\(directory) has no index with what is to be looked up; remove it, or name another" }
    }

    /// Opened for reading; filled first where it is not there.
    func opened() throws -> LMDBCacheIndex {
        if !FileManager.default.fileExists(atPath: "\(directory)/data.mdb") { try fill() }
        let index = try open()
        index.ready()
        let totals = index.totals()
        guard totals.blobs == Self.blobs, totals.manifests == Self.images else {
            throw Unfilled(directory: directory)
        }
        return index
    }

    func fill() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let index = try open()
        for image in 0..<Self.images { index.post(Self.changes(for: image)) }
        // Commits them all.
        index.close()
    }

    private func open() throws -> LMDBCacheIndex {
        let logger = Logger(label: "bench") { StreamLogHandler.standardError(label: $0) }
        // Nothing is to be written behind the back of what is counted.
        let options = LMDBCacheIndex.Options(mapSize: 1 << 30, foldInterval: .seconds(86400))
        return try LMDBCacheIndex(directory: directory, options: options, logger: logger)
    }

    private static func changes(for image: Int) -> [IndexChange] {
        let time = WallTime(milliseconds: 1_750_000_000_000)
        let proof = Membership(mediaType: MediaType.ociManifest, provedAt: time)
        let manifest = Samples.digest(image, .manifest)
        let blobs = (0..<layers).map { Samples.digest(image * layers + $0, .blob) }
        let references = blobs.map { Descriptor(mediaType: nil, digest: $0, size: 4096) }
        let tag = TagRecord(
            digest: manifest,
            mediaType: MediaType.ociManifest,
            size: Samples.manifestSize,
            checkedAt: time
        )
        return [
            .manifest(manifest, bytes: [UInt8](repeating: 32, count: Samples.manifestSize), references: references),
            .membership(manifest, .manifest, in: Samples.repository, proof),
            .tag(Samples.tag(image), in: Samples.repository, tag),
        ]
            + blobs.flatMap { blob -> [IndexChange] in
                [.blob(blob, size: 4096), .membership(blob, .blob, in: Samples.repository, proof)]
            }
    }
}
