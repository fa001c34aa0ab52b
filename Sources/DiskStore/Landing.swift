import MirrorCore
import OCI
import Posix

/// Makes a complete and verified file durable and visible under its digest.
///
/// The order is what makes the store's first invariant hold through a crash at any line:
///
/// 1. the bytes are on the device (fdatasync), and only then
/// 2. they get their name (rename: all or nothing), and
/// 3. the name is on the device (fsync of its directory).
///
/// The old name needs no fsync: a spool that is there again after a crash is removed at the next start.
struct Landing: Sendable {
    let layout: Layout
    private let shards = Shards()

    init(in layout: Layout) {
        self.layout = layout
    }

    /// Waits for the disk: on a store thread.
    func land(
        _ file: OpenFile,
        named spool: String,
        as digest: Digest,
        _ kind: ContentKind
    ) throws(StoreError) {
        let shard = layout.shard(of: digest, kind)
        do throws(SystemCallError) {
            try file.synchronizeData()
            try shards.prepare(shard)
            // What has the name already has the same content; its readers keep what they have open.
            try File.rename(spool, to: layout.path(of: digest, kind))
            try Directory.synchronize(shard)
        } catch {
            shards.forget(shard)
            throw StoreError(error)
        }
    }
}
