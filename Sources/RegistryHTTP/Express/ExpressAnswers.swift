import Locking
import NIOCore
import NIOHTTP1

/// The prepared answers that the express lane can send, those with a blob's file among them: what each event loop has
/// prepared, for the one thread that asks.
final class ExpressAnswers: Sendable {
    private let answers: Locked<PreparedAnswers>

    /// What a new connection's socket takes at once; of a longer response, making a channel for it is the smaller part.
    static let longestResponse = 16 << 10

    /// What a new socket often takes at once of a file; a longer one would keep the lane from others, too.
    static let largestFile = 1 << 20

    init(mostBytes: Int) {
        answers = Locked(PreparedAnswers(mostBytes: mostBytes))
    }

    /// The answer to a request that asks for nothing special, if it holds or not.
    func answer(to method: HTTPMethod, _ target: String) -> PreparedAnswer? {
        answers.withLock { $0.answer(to: method, target) }
    }

    func keep(_ answer: PreparedAnswer, for method: HTTPMethod, _ target: String) {
        guard answer.largestSize <= Self.longestResponse else { return }
        answers.withLock { $0.keep(answer, for: method, target) }
    }
}
