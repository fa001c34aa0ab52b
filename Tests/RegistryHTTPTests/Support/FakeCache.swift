import Locking
import MirrorCore

/// Reports what a test tells it, and notes what it was asked.
final class FakeCache: CacheAdministration {
    struct Script {
        var reports: [CareReport] = []
        var failure: CareError?
        /// Reports again and again until the asker has gone.
        var isEndless = false
        var tasks: [CareTask] = []
        /// Whether the asker's leaving was noticed.
        var wasStopped = false
    }

    let script = Locked(Script())

    var tasks: [CareTask] { script.withLock { $0.tasks } }
    var wasStopped: Bool { script.withLock { $0.wasStopped } }

    func perform(_ task: CareTask, report: CareObserver) async throws(CareError) {
        let script = script.withLock { script in
            script.tasks.append(task)
            return script
        }
        do throws(CareError) {
            repeat {
                for line in script.reports { try await report(line) }
                if Task.isCancelled { throw .stopped }
            } while script.isEndless
        } catch {
            self.script.withLock { $0.wasStopped = true }
            throw error
        }
        if let failure = script.failure { throw failure }
    }
}
