import Logging
import MirrorCore
import Posix
import Settings

/// The mirror without its server, for looking after its data directory while nobody serves from it.
///
/// Owns the directory from its making to ``close()``.
struct StoredMirror {
    private let mirror: AssembledMirror

    struct NoDirectory: Error, CustomStringConvertible {
        let path: String

        var description: String { "there is no cache at \(path)" }
    }

    /// Blocks on the disk; without `makesDirectory` there must be a cache already.
    init(
        _ settings: MirrorSettings,
        targets: [ServedTarget],
        makesDirectory: Bool = false,
        logger: Logger
    ) throws {
        if !makesDirectory {
            let path = settings.dataDirectory
            guard try File.status(of: path) != nil else { throw NoDirectory(path: path) }
        }
        mirror = try AssembledMirror(settings, targets: targets, logger: logger)
        mirror.ready()
    }

    var caretaker: Caretaker { mirror.caretaker }

    /// The mirror for those who fill it.
    var warmer: CacheWarmer { CacheWarmer(mirror.core) }

    /// Has the cache looked after while it grows: what a crash has left, and the room on the disk.
    func startUpkeep() { mirror.core.startUpkeep() }

    /// Ends what is under way, and gives the directory back.
    func close() async {
        await mirror.core.shutDown()
        await mirror.release()
    }
}
