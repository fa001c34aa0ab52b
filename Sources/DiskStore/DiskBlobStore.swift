package import Logging
package import MirrorCore
package import OCI
package import Posix

/// The store on a local disk: a file for each blob and manifest, named by its digest.
///
/// 1. A name under `blobs/` or `manifests/` is only ever given to a complete file whose content has that digest; one that
///    may have been touched since is not opened before it was hashed again.
/// 2. What `land` or `store` returned from is there after a power failure.
/// 3. An open file stays readable whatever happens to its name, and is a lease on it.
/// 4. What a spool has received is there after the process was killed, and what was synced of it after a power failure.
///
/// What waits for the disk runs on two threads of its own: one alone would leave the disk idle while it computes and makes
/// directories, and more do not make one disk faster.
package final class DiskBlobStore: BlobStore {
    let layout: Layout
    let threads: StoreThreads
    let logger: Logger
    let spools: SpoolDirectory
    /// Whether the file system keeps marks; where it does not, a file of the right size is taken to be right.
    let keepsMarks: Bool
    let leases = Leases()
    private let landing: Landing

    private static let threadCount = 2

    /// Makes what is missing of the layout in a data directory, and looks through what an earlier process left half done.
    ///
    /// Blocks on the disk. The directory must be this process's own: see ``DataDirectory``.
    package convenience init(root: String, logger: Logger) throws(SystemCallError) {
        try self.init(root: root, rules: SpoolRules(), logger: logger)
    }

    init(root: String, rules: SpoolRules, logger: Logger) throws(SystemCallError) {
        layout = Layout(root: root)
        self.logger = logger
        for directory in layout.fixedDirectories {
            try Directory.make(directory)
            try Directory.synchronize(Directory.parent(of: directory))
        }
        try Directory.synchronize(root)
        keepsMarks = Mark.isKept(in: layout)
        if !keepsMarks {
            logger.warning(
                "the file system does not keep the times of files; what changes stored files is found by verifying only",
                metadata: ["directory": "\(root)"]
            )
        }
        threads = StoreThreads(count: Self.threadCount)
        landing = Landing(in: layout, on: threads)
        spools = try SpoolDirectory(
            in: layout,
            on: threads,
            landing: landing,
            leases: leases,
            rules: rules,
            logger: logger
        )
    }

    /// Ends the store threads, after what they were given to do.
    package func close() {
        threads.close()
    }

    package func open(_ digest: Digest, _ kind: ContentKind) throws(StoreError) -> (any StoredFile)? {
        // Before the file is there: whoever asks in between is told that it is in use, rather than that it is not.
        let lease = leases.lease(digest, kind)
        do throws(SystemCallError) {
            let file = try FileDescriptor.open(layout.path(of: digest, kind), .read)
            let status = try file.status()
            if status.kind == .regular, isVouchedFor(status) {
                return OpenFile(file, size: status.size, lease: lease, isMarked: keepsMarks)
            }
        } catch {
            if error.isMissing { return nil }
            if error.isOfResources { throw StoreError(error) }
        }
        throw .doubtful
    }

    /// Whether a file is known to be what it was when it landed, or when it was last hashed.
    func isVouchedFor(_ status: FileStatus) -> Bool { !keepsMarks || Mark.isOn(status) }

    package func isLeased(_ digest: Digest, _ kind: ContentKind) -> Bool {
        leases.isLeased(digest, kind)
    }

    package func contents(of file: any StoredFile) async throws(StoreError) -> [UInt8] {
        guard let file = file as? OpenFile else { throw .foreign }
        return try await threads.run { () throws(StoreError) in
            try storing { () throws(SystemCallError) in try file.read(file.size, at: 0) }
        }
    }

    package func digest(of bytes: [UInt8], _ algorithm: Digest.Algorithm) -> Digest {
        Digest(hashing: bytes, algorithm)
    }

    package func store(_ bytes: [UInt8], as digest: Digest, _ kind: ContentKind) async throws(StoreError) {
        let path = layout.newTemporary()
        do throws(StoreError) {
            let file = try await threads.run { () throws(StoreError) in
                // At most 4 MiB and on this thread; it makes the first invariant a fact and not a promise of the caller's.
                guard Digest(hashing: bytes, digest.algorithm) == digest else { throw .wrongDigest }
                return try storing { () throws(SystemCallError) in
                    let file = OpenFile(try FileDescriptor.open(path, .createNew), size: 0)
                    try file.append(bytes.span)
                    return file
                }
            }
            try await landing.land(file, named: path, as: digest, kind)
        } catch {
            _ = try? await threads.run { _ = try? File.remove(path) }
            throw error
        }
    }

    // MARK: - Spools

    package func spool(for digest: Digest) throws(StoreError) -> any Spool {
        try spools.make(digest)
    }

    package func verifier(of digest: Digest) -> any BlobVerifier {
        StreamVerifier(of: digest, after: RunningHash(digest.algorithm))
    }

    package func unfinished(_ digest: Digest) async throws(StoreError) -> (any Spool)? {
        try await spools.resume(digest)
    }

    package var unfinishedBlobs: [UnfinishedBlob] { spools.unfinished }

    package func dropUnfinished(_ digest: Digest) async {
        spools.drop(digest)
    }
}
