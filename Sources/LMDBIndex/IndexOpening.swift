package import LMDB
import Logging
package import Posix

/// Why the index could not be opened.
package enum IndexOpeningError: Error, Hashable {
    /// LMDB refused.
    case lmdb(LMDBError)
    /// It was made by another version of tidepool; `nil` when by something else altogether.
    case schema(UInt32?)
    case system(SystemCallError)

    /// Whether it is the content that is wrong, so that an empty index would do.
    var isContentUnusable: Bool {
        switch self {
        case .lmdb(let error): error.code == .corrupted
        case .schema: true
        case .system: false
        }
    }
}

extension IndexOpeningError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .lmdb(let error): "the index cannot be opened: \(error)"
        case .schema(let version?): "the index has schema \(version), and this tidepool writes \(schemaVersion)"
        case .schema(nil): "the index is of no known schema"
        case .system(let error): "the index directory cannot be used: \(error)"
        }
    }
}

/// Opens the index in a directory.
///
/// An index whose content is unusable is set aside, for people to look at, and an empty one takes its place: it is a
/// cache, and all that it knew can be learned again.
func openIndex(
    in directory: String,
    options: LMDBCacheIndex.Options,
    logger: Logger
) throws(IndexOpeningError) -> IndexStorage {
    do throws(SystemCallError) {
        try Directory.make(directory)
    } catch {
        throw .system(error)
    }
    do throws(IndexOpeningError) {
        return try IndexStorage(directory: directory, options: options)
    } catch {
        guard error.isContentUnusable else { throw error }
        let kept = try setAside(directory)
        logger.error(
            "Index set aside, starting with an empty one",
            metadata: ["reason": "\(error)", "directory": "\(directory)", "kept": "\(kept)"]
        )
        return try IndexStorage(directory: directory, options: options)
    }
}

/// Renames the directory, and makes an empty one in its place; returns the new name.
private func setAside(_ directory: String) throws(IndexOpeningError) -> String {
    let kept = "\(directory).damaged-\(WallClock.milliseconds)"
    do throws(SystemCallError) {
        try File.rename(directory, to: kept)
        try Directory.make(directory)
        return kept
    } catch {
        throw .system(error)
    }
}
