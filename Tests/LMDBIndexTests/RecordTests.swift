import MirrorCore
import MirrorTesting
import OCI
import Testing

@testable import LMDBIndex

@Suite("Index records and keys")
struct RecordTests {
    static let sha256 = literal(try Digest("sha256:" + String(repeating: "0f", count: 32)))
    static let sha512 = literal(try Digest("sha512:" + String(repeating: "a7", count: 64)))

    @Test("a tag comes back as it was", arguments: [sha256, sha512], [true, false])
    func tag(digest: Digest, isGone: Bool) {
        let tag = TagRecord(
            digest: digest,
            mediaType: MediaType.ociIndex,
            size: 1 << 40,
            checkedAt: WallTime(milliseconds: -1),
            isGone: isGone
        )
        #expect(decode(tag.record, as: TagRecord.self) == tag)
        var moved = tag
        moved.held = TagRecord.Held(digest: Self.sha512, checkedAt: WallTime(milliseconds: 7))
        #expect(decode(moved.record, as: TagRecord.self) == moved)
    }

    @Test("other records come back as they were")
    func others() {
        let time = WallTime(milliseconds: 1_800_000_000_123)
        let membership = Membership(mediaType: "text/ünusual", provedAt: time)
        #expect(decode(membership.record, as: Membership.self) == membership)
        let list = ListRecord(bytes: Array("1.0\n1.1".utf8), checkedAt: time)
        #expect(decode(list.record, as: ListRecord.self) == list)
        let blob = BlobRecord(size: .max, landedAt: time)
        #expect(decode(blob.record, as: BlobRecord.self) == blob)
        let reference = ReferenceRecord(size: 0)
        #expect(decode(reference.record, as: ReferenceRecord.self) == reference)
        let use = UseRecord(use: .max, landedAt: time, usedAt: WallTime(milliseconds: -1))
        #expect(decode(use.record, as: UseRecord.self) == use)
        let pin = PinRecord(repository: IndexFixture.repository, since: time)
        #expect(decode(pin.record, as: PinRecord.self) == pin)
        let repository = RepositoryRecord(number: .max, visibility: .isPrivate)
        #expect(decode(repository.record, as: RepositoryRecord.self) == repository)
        var totals = Totals()
        totals.replace(.manifest, oldSize: nil, newSize: 5)
        totals.replace(.blob, oldSize: nil, newSize: 77)
        totals.repositories = 5
        #expect(decode(totals.record, as: Totals.self) == totals)
    }

    @Test("the layout on disk does not change unless the version does")
    func layout() {
        let record = BlobRecord(size: 0x0102, landedAt: WallTime(milliseconds: 3)).record
        #expect(record == [1, 0x02, 0x01, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0])
        let tag = TagRecord(digest: Self.sha256, mediaType: "m", size: 1, checkedAt: WallTime(milliseconds: 2))
        #expect(
            tag.record == [1, 0] + [2, 0, 0, 0, 0, 0, 0, 0] + [1, 0, 0, 0, 0, 0, 0, 0] + [1]
                + [UInt8](repeating: 0x0F, count: 32) + [UInt8(ascii: "m")]
        )
    }

    @Test("a manifest's bytes are in its record when it is small")
    func manifest() {
        let small = [UInt8](repeating: 7, count: ManifestRecord.largestKept)
        let smallRecord = ManifestRecord.encode(small)
        let decoded = decodeManifest(smallRecord)
        #expect(decoded?.size == small.count)
        #expect(decoded?.start.map { Array(smallRecord[$0...]) } == small)
        let largeRecord = ManifestRecord.encode(small + [7])
        let large = decodeManifest(largeRecord)
        #expect(large?.size == small.count + 1)
        #expect(large.map { $0.start == nil } == true)
        #expect(largeRecord.count < 100)
    }

    @Test("a manifest's record that is cut or too long is none")
    func damagedManifest() {
        let record = ManifestRecord.encode([1, 2, 3])
        for length in record.indices { #expect(decodeManifest(record[..<length]) == nil) }
        #expect(decodeManifest(record + [4]) == nil)
    }

    @Test("a record that is cut in its fixed part, of another version, or not possible is none")
    func damaged() {
        let time = WallTime(milliseconds: 1)
        let tag = TagRecord(digest: Self.sha256, mediaType: "", size: 1, checkedAt: time).record
        for length in tag.indices { #expect(decode(tag[..<length], as: TagRecord.self) == nil) }
        let blob = BlobRecord(size: 1, landedAt: time).record
        for length in blob.indices { #expect(decode(blob[..<length], as: BlobRecord.self) == nil) }
        #expect(decode([2] + blob.dropFirst(), as: BlobRecord.self) == nil)
        let negativeSize = [1] + [UInt8](repeating: 0xFF, count: 8) + [UInt8](repeating: 0, count: 8)
        #expect(decode(negativeSize, as: BlobRecord.self) == nil)
        let unknownAlgorithm = Array(tag[..<18]) + [9] + Array(tag[19...])
        #expect(decode(unknownAlgorithm, as: TagRecord.self) == nil)
        let noText = Membership(mediaType: "", provedAt: time).record + [0xFF, 0xFE]
        #expect(decode(noText, as: Membership.self) == nil)
        #expect(decode([1, 0, 0, 0, 0, 77], as: RepositoryRecord.self) == nil)
    }

    @Test("garbage never traps", arguments: 0..<200)
    func garbage(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var bytes = (0..<Int.random(in: 0...120, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        if !bytes.isEmpty, Bool.random(using: &random) { bytes[0] = recordVersion }
        _ = decode(bytes, as: TagRecord.self)
        _ = decode(bytes, as: Membership.self)
        _ = decode(bytes, as: ListRecord.self)
        _ = decode(bytes, as: BlobRecord.self)
        _ = decode(bytes, as: ReferenceRecord.self)
        _ = decode(bytes, as: RepositoryRecord.self)
        _ = decode(bytes, as: Totals.self)
        _ = decode(bytes, as: UseRecord.self)
        _ = decode(bytes, as: PinRecord.self)
        _ = Reference(pinKey: bytes.span)
        _ = Repository(key: bytes.span)
        _ = decode(bytes, as: QuotaRecord.self)
        if let manifest = decodeManifest(bytes) { #expect((manifest.start ?? 0) <= bytes.count) }
    }

    @Test("totals never fall below nothing")
    func totals() {
        var totals = Totals()
        totals.replace(.blob, oldSize: 100, newSize: nil)
        totals.replace(.manifest, oldSize: 10, newSize: nil)
        #expect(totals.stored == StoredTotals(manifests: 0, blobs: 0, blobBytes: 0))
        totals.replace(.blob, oldSize: nil, newSize: 5)
        totals.replace(.blob, oldSize: 5, newSize: 9)
        #expect(totals.stored == StoredTotals(manifests: 0, blobs: 1, blobBytes: 9))
    }

    @Test("totals of the version before them are told from those that count manifests' bytes")
    func firstTotals() {
        let first: [UInt8] =
            [1] + [2, 0, 0, 0, 0, 0, 0, 0] + [1, 0, 0, 0, 0, 0, 0, 0] + [9, 0, 0, 0, 0, 0, 0, 0]
            + [7, 0, 0, 0]
        let totals = decode(first, as: Totals.self)
        #expect(totals?.stored == StoredTotals(manifests: 2, blobs: 1, blobBytes: 9))
        #expect(totals?.repositories == 7)
        #expect(totals?.manifestBytes == nil)
        #expect(totals?.record == first)
    }

    @Test("the order of recency keys is that of the uses, a kind at a time")
    func recencyKeys() {
        let keys = [
            Key.recency(Self.sha512, .manifest, 1), Key.recency(Self.sha256, .manifest, 2),
            Key.recency(Self.sha256, .manifest, 256), Key.recency(Self.sha256, .manifest, 1 << 40),
            Key.recency(Self.sha256, .blob, 0),
        ]
        #expect(keys.sorted { $0.lexicographicallyPrecedes($1) } == keys)
        #expect(keys.allSatisfy { $0.count <= 74 })
    }

    @Test("a pin's key tells a tag from a digest, and gives it back")
    func pinKeys() throws {
        for reference in [Reference.tag(try OCI.Tag("latest")), .digest(Self.sha256), .digest(Self.sha512)] {
            let key = Key.pin(reference, 7)
            let read = Reference(pinKey: key.span)
            #expect(read == reference)
        }
        let (cut, unknown): ([UInt8], [UInt8]) = ([0, 0, 0, 1], [0, 0, 0, 1, 9, 65])
        let none = [Reference(pinKey: cut.span), Reference(pinKey: unknown.span)]
        #expect(none == [nil, nil])
    }

    @Test("the longest keys fit into LMDB's 511 bytes")
    func longestKeys() throws {
        let name = try RepositoryName(String(repeating: "a", count: RepositoryName.maximumLength))
        let host = UpstreamName(String(repeating: "h", count: 253))
        let tag = try OCI.Tag(String(repeating: "t", count: 128))
        #expect(Key.repository(Repository(upstream: host, name: name)).count <= 511)
        #expect(Key.tag(tag, .max).count <= 511)
        #expect(Key.reference(to: Self.sha512, from: Self.sha512).count == 130)
        #expect(Key.member(Self.sha512, .blob, .max).count == 70)
    }

    @Test("different things have different keys")
    func distinctKeys() throws {
        let one = Repository(upstream: UpstreamName("a"), name: try RepositoryName("b/c"))
        let two = Repository(upstream: UpstreamName("ab"), name: try RepositoryName("c"))
        // A list a table.
        let tables = [
            [Key.repository(one), Key.repository(two)],
            [Key.content(Self.sha256), Key.content(Self.sha512)],
            [
                Key.member(Self.sha256, .blob, 1), Key.member(Self.sha256, .manifest, 1),
                Key.member(Self.sha256, .blob, 256),
            ],
            [Key.list(.tags, 1), Key.list(.referrers(Self.sha256), 1), Key.list(.tags, 2)],
            [Key.reference(to: Self.sha256, from: Self.sha512), Key.reference(to: Self.sha512, from: Self.sha256)],
        ]
        for keys in tables { #expect(Set(keys).count == keys.count) }
        #expect(Key.reference(to: Self.sha256, from: Self.sha512).starts(with: Key.content(Self.sha256)))
    }

    // Functions, since a span cannot be in an expression that a macro takes apart.

    private func decode<Value: Record>(_ bytes: some Sequence<UInt8>, as type: Value.Type) -> Value? {
        let bytes = Array(bytes)
        return Value(record: bytes.span)
    }

    private func decodeManifest(_ bytes: some Sequence<UInt8>) -> (size: Int, start: Int?)? {
        let bytes = Array(bytes)
        return ManifestRecord.decode(bytes.span)
    }
}
