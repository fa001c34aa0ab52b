import Locking
import MirrorCore

/// A blob that grows when the test says so.
final class FakeGrowingBlob: GrowingBlob {
    private struct State {
        var landed = 0
        /// What has landed, where it is in no file.
        var bytes: [UInt8]?
        var isComplete = false
        var failure: MirrorError?
        var wakes: [@Sendable () -> Void] = []
        var readers = 0
        var hasBeenRead = false
    }

    let length: Int?
    let file: TemporaryFile
    private let state = Locked(State())

    /// `isPassed` has its bytes in memory, as a blob that there is no room for.
    init(length: Int?, isPassed: Bool = false) throws {
        self.length = length
        file = try TemporaryFile([])
        state.withLock { $0.bytes = isPassed ? [] : nil }
    }

    /// Whether all of its readers have left, of which there was one at least.
    var wasLeft: Bool { state.withLock { $0.hasBeenRead && $0.readers == 0 } }

    /// How many readers have not left.
    var readers: Int { state.withLock { $0.readers } }

    func reader(of range: Range<Int>) -> any GrowingBlobReader {
        state.withLock { state in
            state.readers += 1
            state.hasBeenRead = true
        }
        return Reader(self, range)
    }

    func grow(by bytes: [UInt8]) {
        file.append(bytes, at: state.withLock { $0.landed })
        change {
            $0.landed += bytes.count
            $0.bytes?.append(contentsOf: bytes)
        }
    }

    /// Claims bytes that the file does not have.
    func pretendToGrow(by count: Int) { change { $0.landed += count } }

    func finish() { change { $0.isComplete = true } }

    func fail(_ error: MirrorError) { change { $0.failure = error } }

    private func change(_ body: (inout State) -> Void) {
        let wakes = state.withLock { state in
            var copy = state
            body(&copy)
            let wakes = copy.wakes
            copy.wakes = []
            state = copy
            return wakes
        }
        for wake in wakes { wake() }
    }

    private final class Reader: GrowingBlobReader {
        private let blob: FakeGrowingBlob
        private let end: Int
        private var position: Int

        init(_ blob: FakeGrowingBlob, _ range: Range<Int>) {
            self.blob = blob
            position = range.lowerBound
            end = range.upperBound
        }

        func next(wake: @escaping @Sendable () -> Void) -> ReadStep {
            let position = position
            let end = end
            let file = blob.file
            let step: ReadStep = blob.state.withLock { state in
                if let failure = state.failure { return .failed(failure) }
                let available = min(state.landed, end)
                if available > position, let bytes = state.bytes {
                    return .sendBytes(Array(bytes[position..<available]))
                }
                if available > position { return .send(file, position..<available) }
                if position == end || state.isComplete { return .finished }
                state.wakes.append(wake)
                return .wait
            }
            switch step {
            case .send(_, let range): self.position = range.upperBound
            case .sendBytes(let bytes): self.position += bytes.count
            default: break
            }
            return step
        }

        func leave() {
            blob.state.withLock { $0.readers -= 1 }
        }
    }
}
