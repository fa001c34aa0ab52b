package import OCI

/// Where content lives: files by digest, and spools for what is on its way.
///
/// `DiskStore` implements it. A name in the store is only ever given to a complete file whose content has that digest, and
/// what may have been touched since is opened only after it was hashed again. What looks after the cache uses the second
/// half of it, which hardly anything on a request's way needs.
package protocol BlobStore: Sendable {
    /// Opens stored content for reading, or returns `nil` when there is none.
    ///
    /// One `open` and one `fstat`: quick enough for an event loop. The file is a lease: while it lives, ``isLeased(_:_:)``
    /// says so. It throws when it cannot tell: that must not count as a loss. There may be no descriptors left; or the file
    /// is ``StoreError/doubtful``, which ``confirm(_:_:size:)`` settles.
    func open(_ digest: Digest, _ kind: ContentKind) throws(StoreError) -> (any StoredFile)?

    /// Hashes a doubtful file for those who wait for it; from then on the store vouches for one that is right.
    ///
    /// `size` is what the index says it has, where that is known. On store threads and a piece at a time, so this takes as
    /// long as reading does; when the task is cancelled it throws.
    func confirm(_ digest: Digest, _ kind: ContentKind, size: Int?) async throws(StoreError) -> Confirmation

    /// Reads all of a small stored file, on a store thread.
    func contents(of file: any StoredFile) async throws(StoreError) -> [UInt8]

    /// Starts an empty spool for a blob with that digest.
    ///
    /// May block: not on an event loop.
    func spool(for digest: Digest) throws(StoreError) -> any Spool

    /// Tells whether bytes that go past without being stored have a digest.
    func verifier(of digest: Digest) -> any BlobVerifier

    /// Takes up what an earlier flight, of this process or of one that was killed, has left of a blob.
    ///
    /// The spool's `received` is more than 0, and its hash covers those bytes: they are read again, on store threads and a
    /// piece at a time, so this takes as long as reading does. `nil` when there is nothing, or nothing that can be read.
    /// When the task is cancelled it throws, and what is there stays for the next.
    func unfinished(_ digest: Digest) async throws(StoreError) -> (any Spool)?

    /// Stores verified bytes under their digest, durably: written, synced, renamed, the directory synced.
    func store(_ bytes: [UInt8], as digest: Digest, _ kind: ContentKind) async throws(StoreError)

    /// The digest of bytes in memory (manifests).
    func digest(of bytes: [UInt8], _ algorithm: Digest.Algorithm) -> Digest

    // MARK: - Looking after what is there

    /// Every spool that waits for its next flight, in no order; those that a flight has now are not among them.
    var unfinishedBlobs: [UnfinishedBlob] { get }

    /// Removes what is left of a blob, unless a flight has taken it up.
    func dropUnfinished(_ digest: Digest) async

    /// Whether somebody has the content open for reading.
    ///
    /// The answer may be late by the time it is acted on. That costs nothing but room: whoever opened a file meanwhile reads
    /// all of it, and the device gives the room back when that reader closes it.
    func isLeased(_ digest: Digest, _ kind: ContentKind) -> Bool

    /// Removes content, on a store thread; what is not there is no error.
    ///
    /// Take it out of the index first: then a crash in between leaves a file that nobody knows, which a walk finds. All are
    /// tried, and the first failure is thrown.
    func remove(_ digests: [Digest], _ kind: ContentKind) async throws(StoreError)

    /// What is stored, from a position on: one batch of a walk through all of it.
    ///
    /// A walk goes on across restarts from the position of its last batch. What is stored or removed meanwhile may or may not
    /// be met; everything else is met once.
    func stored(_ kind: ContentKind, from position: WalkPosition) async throws(StoreError) -> StoredBatch

    /// Reads a stored file and compares its hash; `size` is what the index says it has, where that is known.
    ///
    /// From then on the store vouches for one that is right. It goes at the pace that it is given, and leaves the page cache as
    /// it was, on store threads and a piece at a time.
    /// When the task is cancelled it throws.
    func check(
        _ digest: Digest,
        _ kind: ContentKind,
        size: Int?,
        pace: Pace?
    ) async throws(StoreError) -> Verdict

    /// Puts a bad file aside, where people can look at it, so that its digest can be fetched again.
    ///
    /// The store keeps a few of these and no more. Returns whether there was a file.
    @discardableResult
    func quarantine(_ digest: Digest, _ kind: ContentKind) async throws(StoreError) -> Bool

    /// The room on the device, whoever fills it.
    func space() async throws(StoreError) -> StoreSpace
}

extension BlobStore {
    /// The bytes in spools that wait for their next flight.
    package var spooledBytes: Int { unfinishedBlobs.reduce(0) { $0 + $1.received } }

    /// What waits for a digest; there are few, so they are looked through.
    func unfinishedBlob(_ digest: Digest) -> UnfinishedBlob? { unfinishedBlobs.first { $0.digest == digest } }
}

/// An open file to send from.
///
/// It stays readable for as long as the object lives, whatever happens to its name; and for as long it is a lease on the
/// content, which keeps eviction off.
package protocol StoredFile: AnyObject, Sendable {
    /// The descriptor, open for reading; the object closes it when it goes.
    var descriptor: Int32 { get }
    /// The size in bytes when it was opened; a spool's grows, and its flight knows how far.
    var size: Int { get }
    /// Whether it still is what it was when it was opened, as far as one `fstat` tells: for whoever keeps it open.
    var isUntouched: Bool { get }
}

/// A blob that is not complete.
///
/// It belongs to one flight.
///
///     writing ──append…──▶ verified ──land──▶ landed
///        ├────────┴── keep ────▶ kept: the next flight goes on from there
///        └────────┴── discard ─▶ discarded
///
/// One that is let go without any of these is kept, but for those that are empty or do not have their digest: that is what
/// a killed process does too.
package protocol Spool: AnyObject, Sendable {
    /// What followers read from, from the start; valid after landing too.
    var file: any StoredFile { get }

    /// How many bytes it has.
    var received: Int { get }

    /// The length of the blob, where this flight or the one that left the spool was told it.
    var expectedLength: Int? { get }

    /// Remembers the length of the blob, with the spool.
    func expect(length: Int)

    /// Hashes and writes the next bytes.
    ///
    /// Only ever one call at a time; may block on the disk. After ``StoreError/full`` the same bytes may be given again,
    /// unless the disk has lost some that it had taken.
    func append(_ bytes: Span<UInt8>) throws(StoreError)

    /// Whether everything appended has the digest that the spool was made for.
    ///
    /// Ends the writing.
    func verify() -> Bool

    /// Goes on hashing where the spool is, apart from it; valid after it was discarded.
    ///
    /// `nil` once it has been verified, or when the disk may have lost some of it.
    func verifier() -> (any BlobVerifier)?

    /// How many bytes from the start are the same in another spool, read on a store thread.
    func commonPrefix(with other: any Spool) async throws(StoreError) -> Int

    /// Makes a verified spool durable and visible under its digest, on a store thread.
    ///
    /// When that fails the spool is what it was: it may land again, be kept, or be discarded.
    func land() async throws(StoreError)

    /// Leaves the spool for the next flight to its digest, durably if the disk allows.
    ///
    /// One that does not have its digest is discarded.
    func keep() async

    /// Removes the spool.
    ///
    /// Open readers keep what they have.
    func discard()
}

/// Hashes a blob's bytes as they go past, from its start on.
///
/// One call at a time.
package protocol BlobVerifier: AnyObject, Sendable {
    func update(_ bytes: Span<UInt8>)

    /// Whether everything that it was given has the digest it was made for; ends it.
    func matches() -> Bool
}

/// Why the store could not do what was asked.
package enum StoreError: Error, Hashable, Sendable {
    /// No room on the device (ENOSPC, EDQUOT).
    case full
    /// The file may have been touched since its content was last known to be right, or cannot be opened at all.
    case doubtful
    /// Any other system error, with the call and the errno.
    case failed(call: String, errno: Int32)
}
