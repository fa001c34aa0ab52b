import Foundation
import Posix
import Prewarm

/// Shows a run to people: bars on a terminal, and in any case a line for each image that has ended.
///
/// Takes events on any thread; a thread of its own writes, so that a terminal that is held (Ctrl-S) holds nothing else.
/// What has ended is a result, on standard output (with `--json` on standard error); the bars are on standard error.
final class PrewarmConsole: Sendable {
    private let mailbox = Mailbox<(event: PrewarmEvent, time: Duration)>()
    private let thread: DedicatedThread
    private let start = ContinuousClock.now

    /// `keepsOutput` leaves standard output to somebody else.
    init(keepsOutput: Bool) {
        let mailbox = mailbox
        let start = start
        thread = DedicatedThread(name: "progress") {
            var screen = PrewarmScreen(keepsOutput: keepsOutput)
            var drawn = ContinuousClock.now - .seconds(1)
            while let events = mailbox.take(upTo: 1000, waitingUpTo: PrewarmScreen.interval) {
                for (event, time) in events { screen.take(event, at: time) }
                let now = ContinuousClock.now
                guard now - drawn >= PrewarmScreen.interval else { continue }
                drawn = now
                screen.draw(at: now - start)
            }
            screen.end(at: ContinuousClock.now - start)
        }
    }

    func show(_ event: PrewarmEvent) {
        _ = mailbox.post((event, ContinuousClock.now - start))
    }

    /// Writes what waits, takes the bars away, and gives the cursor back.
    func close() {
        mailbox.close()
        thread.join()
    }
}

/// The state of a console's thread.
private struct PrewarmScreen {
    static let interval = Duration.milliseconds(100)

    let keepsOutput: Bool
    private var progress = PrewarmProgress()
    private var frame = TerminalFrame()
    private var ended: [PrewarmText.Line] = []
    private let isOutputTerminal = Terminal.standardOutput != nil

    init(keepsOutput: Bool) {
        self.keepsOutput = keepsOutput
    }

    mutating func take(_ event: PrewarmEvent, at time: Duration) {
        progress.take(event, at: time)
        if let line = PrewarmText.line(for: event) { ended.append(line) }
    }

    mutating func draw(at now: Duration) {
        guard let terminal = Terminal.standardError else { return writeLines() }
        // What goes to the terminal that has the bars is drawn above them; the rest has a place of its own.
        let sharesTerminal = keepsOutput || isOutputTerminal
        let (above, elsewhere) = (
            ended.filter { sharesTerminal || $0.isProblem }, ended.filter { !sharesTerminal && !$0.isProblem }
        )
        ended = elsewhere
        writeLines()
        // The last column stays free: some terminals break a line that fills it.
        let lines = ProgressLines(columns: terminal.columns - 1).lines(progress, at: now)
        let text = frame.draw(lines, above: above.map(\.text), columns: terminal.columns)
        if !text.isEmpty { Console.raw(text) }
    }

    mutating func end(at now: Duration) {
        draw(at: now)
        if let terminal = Terminal.standardError, !frame.isEmpty { Console.raw(frame.erase(columns: terminal.columns)) }
        writeLines()
    }

    private mutating func writeLines() {
        for line in ended {
            if keepsOutput || line.isProblem { Console.problem(line.text) } else { Console.result(line.text) }
        }
        ended = []
    }
}
