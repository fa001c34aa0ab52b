import MirrorCore
import NIOCore
import NIOHTTP1
import Posix

/// What the connections of one event loop share; confined to it.
final class LoopContext {
    let answers: PreparedAnswers
    let routes = KnownRoutes()
    let blobs: OpenBlobs
    let clock = LoopClock()
    let requestIDs = RequestIDs()
    let connections: LoopConnections
    let log: AccessLog

    private let expressAnswers: ExpressAnswers?

    init(_ server: ServerContext, on eventLoop: any EventLoop) {
        answers = PreparedAnswers(mostBytes: server.preparedBytes)
        blobs = OpenBlobs(on: eventLoop)
        connections = LoopConnections(server.options.limits, on: eventLoop)
        log = AccessLog(server.options.accessLog, metrics: server.metrics, clock: clock)
        expressAnswers = server.expressAnswers
    }

    /// Keeps an answer for the next who ask the same, here and on the express lane.
    func keep(_ answer: PreparedAnswer, for method: HTTPMethod, _ target: String) {
        answers.keep(answer, for: method, target)
        expressAnswers?.keep(answer, for: method, target)
    }
}

/// The time of day as responses and the log tell it, formatted once a second; confined to one thread.
package final class LoopClock {
    private var second: Int64 = -1
    private var formattedDate: [UInt8] = []
    private var formattedTime: [UInt8] = []

    package init() {}

    /// `Date: Sun, 06 Nov 1994 08:49:37 GMT`, with the line's end.
    package var dateLine: [UInt8] {
        _ = milliseconds()
        return formattedDate
    }

    /// Appends `1994-11-06T08:49:37.123Z`.
    func appendTimestamp(to bytes: inout [UInt8]) {
        let rest = milliseconds()
        bytes.append(contentsOf: formattedTime)
        for digit in [rest / 100, rest / 10 % 10, rest % 10] { bytes.append(UInt8(ascii: "0") + UInt8(digit)) }
        bytes.append(UInt8(ascii: "Z"))
    }

    /// Brings it up to the second; returns the milliseconds beyond it.
    private func milliseconds() -> Int64 {
        let now = WallClock.milliseconds
        if now / 1000 != second {
            second = now / 1000
            formattedDate = Array("Date: \(HTTPTime.text(second: second))\r\n".utf8)
            formattedTime = Array("\(HTTPTime.timestamp(second: second)).".utf8)
        }
        return now % 1000
    }
}
