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
    /// So many processes in a row have died between opening it and being ready.
    case deadly(openings: Int)

    /// Whether it is the content that is wrong, so that an empty index would do.
    var isContentUnusable: Bool {
        switch self {
        case .lmdb(let error): error.code == .corrupted
        case .schema, .deadly: true
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
        case .deadly(let openings): "\(openings) processes have died when they opened the index"
        }
    }
}

/// How the index was found.
package enum IndexOrigin: Hashable, Sendable {
    /// As it was left.
    case found
    /// There was none.
    case made
    /// It could not be used, and is kept in another directory; the index is a new one.
    case replaced(IndexOpeningError, kept: String)
}

/// Opens the index in a directory.
///
/// An index whose content is unusable is set aside, for people to look at, and an empty one takes its place: it is a
/// cache, and all that it knew can be learned again. LMDB has no checksums, so damage may end the process instead of being
/// reported: openings are counted, see ``OpeningMarker``.
func openIndex(
    in directory: String,
    options: LMDBCacheIndex.Options,
    logger: Logger
) throws(IndexOpeningError) -> (storage: IndexStorage, origin: IndexOrigin) {
    do throws(SystemCallError) {
        try Directory.make(directory)
    } catch {
        throw .system(error)
    }
    let marker = OpeningMarker(in: directory)
    do throws(IndexOpeningError) {
        let storage = try openCounted(in: directory, options: options, marker)
        return (storage, storage.isNew ? .made : .found)
    } catch {
        guard error.isContentUnusable else {
            // Nobody died: the next opening is no suspect.
            marker.end()
            throw error
        }
        let kept = try setAside(directory)
        logger.error(
            "Index set aside, starting with an empty one",
            metadata: ["reason": "\(error)", "directory": "\(directory)", "kept": "\(kept)"]
        )
        return (try openCounted(in: directory, options: options, marker), .replaced(error, kept: kept))
    }
}

private func openCounted(
    in directory: String,
    options: LMDBCacheIndex.Options,
    _ marker: OpeningMarker
) throws(IndexOpeningError) -> IndexStorage {
    let deaths = marker.count
    guard deaths < OpeningMarker.mostDeaths else { throw .deadly(openings: deaths) }
    try marker.begin(after: deaths)
    try checkDataFile(in: directory)
    let storage = try IndexStorage(directory: directory, options: options)
    do throws(LMDBError) {
        try Census.takeIfNeeded(of: storage)
    } catch {
        throw .lmdb(error)
    }
    return storage
}
