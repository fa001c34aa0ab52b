package import MirrorCore
package import OCI
import Posix

/// Taking content away.
extension DiskBlobStore {
    /// So many names are removed in one go: some milliseconds of a thread that landings wait for.
    private static let removedAtOnce = 64

    /// Nothing is synced: a file that is there again after a power failure is one that the index does not know.
    package func remove(_ digests: [Digest], _ kind: ContentKind) async throws(StoreError) {
        var failure: StoreError?
        for start in stride(from: 0, to: digests.count, by: Self.removedAtOnce) {
            let some = digests[start..<min(start + Self.removedAtOnce, digests.count)]
            let found = try await threads.run { [layout] in
                some.compactMap { digest in
                    Self.failure { () throws(SystemCallError) in try File.remove(layout.path(of: digest, kind)) }
                }
            }
            failure = failure ?? found.first
        }
        if let failure { throw failure }
    }

    private static func failure(of call: () throws(SystemCallError) -> Bool) -> StoreError? {
        do throws(SystemCallError) {
            _ = try call()
            return nil
        } catch {
            return StoreError(error)
        }
    }

    package func quarantine(_ digest: Digest, _ kind: ContentKind) async throws(StoreError) -> Bool {
        try await threads.run { [layout] () throws(StoreError) in
            try storing { () throws(SystemCallError) in try Quarantine(in: layout).take(digest, kind) }
        }
    }

    package func space() async throws(StoreError) -> StoreSpace {
        try await threads.run { [layout] () throws(StoreError) in
            let system = try storing { () throws(SystemCallError) in try FileSystem.containing(layout.root) }
            return StoreSpace(free: system.freeBytes, total: system.totalBytes)
        }
    }
}
