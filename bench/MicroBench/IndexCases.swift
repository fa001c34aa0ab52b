import LMDBIndex
import MirrorCore
import OCI

/// What a hit looks up, in an index with 10⁴ blobs and a thousand manifests.
enum IndexCases {
    static let all = [
        MicroCase(
            name: "index-tag",
            summary: "look up a manifest by tag: the tag, the proof, the content",
            count: 1000,
            prepare: { try lookingUpTags(in: $0.index.opened()) }
        ),
        MicroCase(
            name: "index-digest",
            summary: "look up a manifest by digest: the proof, the content",
            count: 1000,
            prepare: { try lookingUpManifests(in: $0.index.opened()) }
        ),
        MicroCase(
            name: "index-blob",
            summary: "look up a blob: the proof, the size",
            count: 1000,
            prepare: { try lookingUpBlobs(in: $0.index.opened()) }
        ),
        MicroCase(
            name: "index-revision",
            summary: "see whether the index has changed, as each hit does",
            count: 20_000,
            prepare: { scene in
                let index = try scene.index.opened()
                return { _ in index.revision }
            }
        ),
    ]

    private static func lookingUpTags(in index: LMDBCacheIndex) -> MicroCase.Operation {
        let tags = (0..<SampleIndex.images).map { Samples.tag($0) }
        return { turn in
            guard let record = index.tag(tags[turn % tags.count], in: Samples.repository) else { return 0 }
            return contentSize(of: record.digest, in: index)
        }
    }

    private static func lookingUpManifests(in index: LMDBCacheIndex) -> MicroCase.Operation {
        let digests = (0..<SampleIndex.images).map { Samples.digest($0, .manifest) }
        return { turn in contentSize(of: digests[turn % digests.count], in: index) }
    }

    private static func contentSize(of digest: Digest, in index: LMDBCacheIndex) -> Int {
        guard index.membership(of: digest, as: .manifest, in: Samples.repository) != nil else { return 0 }
        return index.withManifest(digest) { $1?.count ?? 0 } ?? 0
    }

    private static func lookingUpBlobs(in index: LMDBCacheIndex) -> MicroCase.Operation {
        let digests = (0..<SampleIndex.blobs).map { Samples.digest($0, .blob) }
        return { turn in
            let digest = digests[turn % digests.count]
            guard index.membership(of: digest, as: .blob, in: Samples.repository) != nil else { return 0 }
            return index.blobSize(digest) ?? 0
        }
    }
}
