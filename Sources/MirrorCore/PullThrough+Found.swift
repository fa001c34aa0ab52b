import Locking
import OCI

/// Recording what was found on the disk, while eviction goes on.
extension PullThrough {
    /// Records content whose file was found a moment ago, if it is there still; returns how much of it was.
    ///
    /// What the index knew when the file was found may have been evicted since. So it is looked at again while nothing is
    /// being evicted: a record of what has gone would stay until somebody asks for it.
    func recordFound(_ changes: [IndexChange]) async throws(IndexError) -> Int {
        let result = Locked<Result<Int, IndexError>>(.success(0))
        await context.keeper.betweenRounds { [index, store = context.store] in
            let present = changes.filter { Self.isThere($0, in: store) }
            guard !present.isEmpty else { return }
            do throws(IndexError) {
                try await index.commit(present)
                result.withLock { $0 = .success(present.count) }
            } catch {
                result.withLock { $0 = .failure(error) }
            }
        }
        return try result.withLock { $0 }.get()
    }

    /// Records content that was found a moment ago, as ``record(_:)`` does.
    func record(found change: IndexChange) async {
        await context.keeper.betweenRounds { [self] in
            if Self.isThere(change, in: context.store) { await record([change]) }
        }
    }

    /// A file that cannot be opened now is there all the same.
    private static func isThere(_ change: IndexChange, in store: any BlobStore) -> Bool {
        do throws(StoreError) {
            switch change {
            case .blob(let digest, _): return try store.open(digest, .blob) != nil
            case .manifest(let digest, _, _): return try store.open(digest, .manifest) != nil
            default: return false
            }
        } catch {
            return true
        }
    }
}
