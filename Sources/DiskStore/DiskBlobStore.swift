import Hashing
package import Logging
package import MirrorCore
package import OCI
package import Posix

/// The store on a local disk: a file for each blob and manifest, named by its digest.
///
/// 1. A name under `blobs/` or `manifests/` is only ever a complete file whose content has that digest.
/// 2. What `land` or `store` returned from is there after a power failure.
/// 3. An open file stays readable whatever happens to its name.
///
/// Landing and storing run on two threads of its own: one alone would leave the disk idle while it computes and makes
/// directories, and more do not make one disk faster.
package final class DiskBlobStore: BlobStore {
    private let layout: Layout
    private let landing: Landing
    private let threads: StoreThreads
    private let logger: Logger

    private static let threadCount = 2

    /// Makes what is missing of the layout in a data directory, and removes what an earlier process left half done.
    ///
    /// Blocks on the disk. The directory must be this process's own: see ``DataDirectory``.
    package init(root: String, logger: Logger) throws(SystemCallError) {
        layout = Layout(root: root)
        landing = Landing(in: layout)
        self.logger = logger
        for directory in layout.fixedDirectories {
            try Directory.make(directory)
            try Directory.synchronize(Directory.parent(of: directory))
        }
        try Directory.synchronize(root)
        let stale = try Directory.names(in: layout.spools)
        for name in stale { try File.remove("\(layout.spools)/\(name)") }
        if !stale.isEmpty { logger.info("Removed unfinished files", metadata: ["count": "\(stale.count)"]) }
        threads = StoreThreads(count: Self.threadCount)
    }

    /// Ends the store threads, after what they were given to do.
    package func close() {
        threads.close()
    }

    package func open(_ digest: Digest, _ kind: ContentKind) throws(StoreError) -> (any StoredFile)? {
        do throws(SystemCallError) {
            let file = try FileDescriptor.open(layout.path(of: digest, kind), .read)
            let status = try file.status()
            guard status.kind == .regular else { return nil }
            return OpenFile(file, size: status.size)
        } catch {
            if error.isMissing { return nil }
            logger.error("Stored content cannot be opened", metadata: ["error": "\(error)"])
            // A name that is something else than a file, or a disk that fails, is a loss; want of resources is not.
            guard error.isOfResources else { return nil }
            throw StoreError(error)
        }
    }

    package func contents(of file: any StoredFile) async throws(StoreError) -> [UInt8] {
        guard let file = file as? OpenFile else { throw .foreign }
        return try await threads.run { () throws(StoreError) in
            try storing { () throws(SystemCallError) in try file.read(file.size, at: 0) }
        }
    }

    package func spool(for digest: Digest) throws(StoreError) -> any Spool {
        try DiskSpool(for: digest, landing: landing, on: threads)
    }

    package func store(_ bytes: [UInt8], as digest: Digest, _ kind: ContentKind) async throws(StoreError) {
        let landing = landing
        try await threads.run { () throws(StoreError) in
            // At most 4 MiB and on this thread; it makes the first invariant a fact and not a promise of the caller's.
            guard Digest(hashing: bytes, digest.algorithm) == digest else { throw .wrongDigest }
            let path = landing.layout.newSpool(for: digest)
            do throws(StoreError) {
                let file = try storing { () throws(SystemCallError) in
                    let file = OpenFile(try FileDescriptor.open(path, .createNew), size: 0)
                    try file.append(bytes.span)
                    return file
                }
                try landing.land(file, named: path, as: digest, kind)
            } catch {
                _ = try? File.remove(path)
                throw error
            }
        }
    }

    package func digest(of bytes: [UInt8], _ algorithm: Digest.Algorithm) -> Digest {
        Digest(hashing: bytes, algorithm)
    }
}
