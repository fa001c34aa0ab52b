import MirrorCore
import NIOCore

/// Sends a blob to one client while it is being fetched.
///
/// Asks the reader what to do, does it, and asks again; waits without a thread where nothing has landed yet. Confined to
/// the connection's event loop.
final class GrowingSender {
    private let reader: any GrowingBlobReader
    private let exchange: Exchange
    private var hasLeft = false

    /// Sends the head at once, and then the bytes as they land.
    static func send(_ reader: any GrowingBlobReader, _ head: ResponseHead, to exchange: Exchange) {
        let sender = GrowingSender(reader, exchange)
        guard exchange.begin(head) else {
            sender.leave()
            return
        }
        exchange.flush()
        exchange.onCutShort { sender.leave() }
        sender.step()
    }

    private init(_ reader: any GrowingBlobReader, _ exchange: Exchange) {
        self.reader = reader
        self.exchange = exchange
    }

    private func step() {
        guard exchange.isOpen, !hasLeft else { return }
        let loopBound = NIOLoopBound(self, eventLoop: exchange.eventLoop)
        let eventLoop = exchange.eventLoop
        let next = reader.next {
            eventLoop.execute { loopBound.value.step() }
        }
        switch next {
        case .send(let file, let range): FileSender.send([.file(range)], of: file, to: exchange) { self.stepLater() }
        case .sendBytes(let bytes): send(bytes)
        case .wait: break
        case .finished:
            leave()
            exchange.end()
        case .failed(let error):
            leave()
            exchange.abort(error.label)
        }
    }

    private func send(_ bytes: [UInt8]) {
        guard let taken = exchange.send(exchange.allocator.buffer(bytes: bytes)) else {
            stepLater()
            return
        }
        taken.assumeIsolated()
            .whenComplete { result in
                guard case .success = result else {
                    self.leave()
                    self.exchange.abort("send_failed")
                    return
                }
                self.stepLater()
            }
    }

    /// Not at once, so that a fast client's writes do not deepen the stack.
    private func stepLater() {
        exchange.eventLoop.assumeIsolated().execute { self.step() }
    }

    private func leave() {
        guard !hasLeft else { return }
        hasLeft = true
        reader.leave()
    }
}
