import ArgumentParser
import Curl
import DiskStore
import Foundation
import Locking
import Logging
import MirrorCore
import Posix
import RegistryHTTP
import Settings

extension CacheCommand.Options {
    typealias Display = @Sendable (CareReport, CareConsole) -> Void

    /// Has the running mirror do it, or does it here when none runs; returns the reports that end it.
    ///
    /// Problems are printed, and end the command with their exit code.
    @discardableResult
    func perform(_ task: CareTask, showing display: @escaping Display) async throws -> [CareReport] {
        var loaded = try CheckConfigCommand.load(config)
        if let dataDir { loaded.settings.dataDirectory = dataDir }
        // A mirror's log is of no interest here: what it tells of the work is in the reports.
        loaded.settings.log.level = .critical
        let writer = LogWriter()
        defer { writer.close() }
        let ends = Locked<[CareReport]>([])
        let console = CareConsole()
        let isJSON = json
        let observe: @Sendable (CareReport) -> Void = { report in
            if isJSON { console.json(CareLine.report(report)) } else { display(report, console) }
            if report.isEnd { ends.withLock { $0.append(report) } }
        }
        let work = CacheWork(loaded, Logger(loaded.settings.log, to: writer))
        do {
            try await Interruption.cancelling { try await work.perform(task, observe) }
        } catch {
            console.clear()
            let failure = error as? CacheWork.Failure
            Console.problem("tidepool: \(failure?.message ?? "\(error)")")
            throw failure?.exitCode ?? .failed
        }
        console.clear()
        return ends.withLock { $0 }
    }
}

/// Finds who owns the cache, and has the work done.
struct CacheWork {
    struct Failure: Error {
        var message: String
        var exitCode: ExitCode

        init(_ message: String, _ exitCode: ExitCode = .failed) {
            self.message = message
            self.exitCode = exitCode
        }

        init(_ error: CareError, of task: CareTask) {
            switch (error, task) {
            case (.malformed, _): self.init("\(error)", .validationFailure)
            case (.stopped, .verify): self.init("\(error); verify --resume goes on from there")
            default: self.init("\(error)")
            }
        }
    }

    private let loaded: LoadedMirror
    private let logger: Logger

    init(_ loaded: LoadedMirror, _ logger: Logger) {
        self.loaded = loaded
        self.logger = logger
    }

    func perform(_ task: CareTask, _ observe: @escaping @Sendable (CareReport) -> Void) async throws {
        let settings = loaded.settings
        let socket = "\(settings.dataDirectory)/control.sock"
        do {
            if try await askMirror(task, socket, observe) { return }
        } catch let error as SystemCallError {
            throw DataDirectoryError.unusable(path: settings.dataDirectory, error)
        }
        let mirror: StoredMirror
        do {
            mirror = try StoredMirror(settings, targets: loaded.targets, logger: logger)
        } catch let error as DataDirectoryError {
            throw ControlFailure(error, settings.dataDirectory, socket: socket) ?? error
        }
        let result: Result<Void, CareError>
        do throws(CareError) {
            result = .success(try await mirror.caretaker.perform(task) { report in observe(report) })
        } catch {
            result = .failure(error)
        }
        await mirror.close()
        do { try result.get() } catch { throw Failure(error, of: task) }
    }

    /// Returns `false` when nobody listens.
    private func askMirror(
        _ task: CareTask,
        _ socket: String,
        _ observe: @escaping @Sendable (CareReport) -> Void
    ) async throws -> Bool {
        let call = CacheCall(task)
        let problem = Locked<String?>(nil)
        let hasEnded = Locked(false)
        let answer = try await ControlClient.lines(
            of: call.target,
            method: task.changesState ? .post(form: "") : .get,
            from: socket
        ) { line in
            switch try? CareLine(json: line) {
            case .report(let report):
                if report.isEnd { hasEnded.withLock { $0 = true } }
                observe(report)
            case .error(let text): problem.withLock { $0 = text }
            // A later version's: nothing that this one could show.
            case nil: break
            }
        }
        switch answer {
        case .nobody: return false
        case .refused(let status, let message):
            // What this command asks for is well-formed, but for what a person wrote.
            throw Failure(message, status == 400 ? .validationFailure : .failed)
        case .answered:
            if let problem = problem.withLock({ $0 }) { throw Failure(problem) }
            guard hasEnded.withLock({ $0 }) else { throw Failure(.stopped, of: task) }
            return true
        case .cutOff:
            let isOurs = Task.isCancelled
            throw Failure(isOurs ? .stopped : .failed("the mirror ended before it was done"), of: task)
        }
    }
}

extension CareReport {
    /// Whether it is the last of its task.
    var isEnd: Bool {
        switch self {
        case .total, .held, .stats, .verified, .removed, .pin: true
        case .image, .progress, .damage, .orphan: false
        }
    }
}
