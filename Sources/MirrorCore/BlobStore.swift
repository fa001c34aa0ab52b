package import OCI

/// Where content lives: files by digest, and spools for what is on its way.
///
/// `DiskStore` implements it. A name in the store is only ever a complete file whose content has that digest.
package protocol BlobStore: Sendable {
    /// Opens stored content for reading, or returns `nil` when there is none.
    ///
    /// One `open` and one `fstat`: quick enough for an event loop. It throws when it cannot tell, such as when there are
    /// no descriptors left: that must not count as a loss.
    func open(_ digest: Digest, _ kind: ContentKind) throws(StoreError) -> (any StoredFile)?

    /// Reads all of a small stored file, on a store thread.
    func contents(of file: any StoredFile) async throws(StoreError) -> [UInt8]

    /// Starts a spool for a blob with that digest.
    ///
    /// May block: not on an event loop.
    func spool(for digest: Digest) throws(StoreError) -> any Spool

    /// Stores verified bytes under their digest, durably: written, synced, renamed, the directory synced.
    func store(_ bytes: [UInt8], as digest: Digest, _ kind: ContentKind) async throws(StoreError)

    /// The digest of bytes in memory (manifests).
    func digest(of bytes: [UInt8], _ algorithm: Digest.Algorithm) -> Digest
}

/// An open file to send from.
///
/// It stays readable for as long as the object lives, whatever happens to its name.
package protocol StoredFile: AnyObject, Sendable {
    /// The descriptor, open for reading; the object closes it when it goes.
    var descriptor: Int32 { get }
    /// The size in bytes when it was opened; a spool's grows, and its flight knows how far.
    var size: Int { get }
}

/// A blob that is not complete.
///
/// It belongs to one flight.
///
///     writing ──append…──▶ verified ──land──▶ landed
///        └────────┴── discard ──▶ discarded
package protocol Spool: AnyObject, Sendable {
    /// What followers read from, from the start; valid after landing too.
    var file: any StoredFile { get }

    /// Hashes and writes the next bytes.
    ///
    /// Only ever one call at a time; may block on the disk.
    func append(_ bytes: Span<UInt8>) throws(StoreError)

    /// Whether everything appended has the digest that the spool was made for.
    ///
    /// Ends the writing.
    func verify() -> Bool

    /// How many bytes from the start are the same in another spool, read on a store thread.
    func commonPrefix(with other: any Spool) async throws(StoreError) -> Int

    /// Makes a verified spool durable and visible under its digest, on a store thread.
    func land() async throws(StoreError)

    /// Removes the spool.
    ///
    /// Open readers keep what they have.
    func discard()
}

/// Why the store could not do what was asked.
package enum StoreError: Error, Hashable, Sendable {
    /// No room on the device (ENOSPC, EDQUOT).
    case full
    /// Any other system error, with the call and the errno.
    case failed(call: String, errno: Int32)
}
