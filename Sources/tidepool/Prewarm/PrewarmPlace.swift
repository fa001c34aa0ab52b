import DiskStore
import Foundation
import Logging
import MirrorCore
import Ocync
import Prewarm
import Settings

/// The mirror that is warmed, and what becomes of it afterwards.
struct PrewarmPlace {
    let mirror: any WarmMirror
    /// Registries of the ocync file that cannot be asked from here, by alias, and why.
    var refused: [String: String] = [:]
    /// Ends what is under way, and gives back what was taken.
    let close: @Sendable () async -> Void

    /// The owner of the data directory; this process when there is none.
    static func find(
        _ loaded: LoadedMirror,
        _ configuration: OcyncConfiguration,
        _ logger: Logger
    ) async throws -> PrewarmPlace {
        do {
            return try alone(loaded, configuration, logger)
        } catch let error as DataDirectoryError {
            let directory = loaded.settings.dataDirectory
            throw ControlFailure(error, directory, socket: "\(directory)/control.sock") ?? error
        }
    }

    /// Takes the data directory: nobody serves from it.
    static func alone(
        _ loaded: LoadedMirror,
        _ configuration: OcyncConfiguration,
        _ logger: Logger
    ) throws -> PrewarmPlace {
        let lent = LentCredentials(of: configuration, to: loaded.settings)
        let stored = try StoredMirror(lent.settings, targets: loaded.targets, makesDirectory: true, logger: logger)
        stored.startUpkeep()
        return PrewarmPlace(mirror: stored.warmer, refused: lent.refused) { await stored.close() }
    }
}
