import Glibc
import MirrorCore
import NIOCore

/// Sends parts of a stored file as the body of a response.
///
/// Plain connections get file regions, which go by `sendfile`; through TLS the file is read in chunks. One window is on
/// its way at a time, and the next follows when the client's socket has taken it: memory and the kernel's queue stay
/// small however slow the client is. Confined to the connection's event loop.
///
/// The file must be as long as the segments say, and is looked at when not all of a window was sent at once, and now and then
/// while one is on its way: were it cut short behind our back, `sendfile` would send nothing and NIO would ask it again for
/// ever. The next asker finds such a file bad when it is opened, and it is fetched anew.
final class FileSender {
    /// A piece of the body.
    enum Segment {
        case file(Range<Int>)
        case bytes(ByteBuffer)
    }

    /// Large enough that the system calls do not count, small enough for many clients to share the loop.
    static let regionWindow = 2 << 20
    /// For TLS, where each window is memory that is read, encrypted, and soon used again: little enough for a processor's
    /// cache.
    static let chunkWindow = 64 << 10
    /// For TLS, when another thread has to wait for the disk.
    private static let slowChunkWindow = 256 << 10

    private let exchange: Exchange
    private let file: any StoredFile
    /// For what goes through the channel.
    private lazy var lent = LentDescriptor(file)
    private var segments: [Segment]
    private let finish: () -> Void
    /// Whether there is more than one window: for one, corking the connection would cost more than it spares.
    private var mayCork = false
    /// The window that the client's socket has not taken yet.
    private var pending: Range<Int>?
    private var watch: Scheduled<Void>?
    private static let watchInterval = TimeAmount.milliseconds(100)

    /// Starts with the first segment; `finish` is called when the last has been taken, and never when the client has gone.
    static func send(
        _ segments: [Segment],
        of file: any StoredFile,
        to exchange: Exchange,
        then finish: @escaping () -> Void
    ) {
        let sender = FileSender(segments, file, exchange, finish)
        sender.sendNext()
    }

    private init(_ segments: [Segment], _ file: any StoredFile, _ exchange: Exchange, _ finish: @escaping () -> Void) {
        self.segments = segments.reversed()
        self.file = file
        self.exchange = exchange
        self.finish = finish
    }

    private func sendNext() {
        guard exchange.isOpen else { return }
        switch segments.popLast() {
        case nil:
            exchange.uncork()
            finish()
        case .bytes(let buffer): send(buffer)
        case .file(let range) where range.isEmpty: sendNext()
        case .file(let range):
            if exchange.sendsFileRegions { send(take(Self.regionWindow, of: range)) } else { read(range) }
        }
    }

    /// The next window of a range, whose rest stays for later.
    private func take(_ size: Int, of range: Range<Int>) -> Range<Int> {
        let window = range.prefix(size)
        if window.count < range.count {
            segments.append(.file(window.upperBound..<range.upperBound))
            mayCork = true
        }
        return window
    }

    private func send(_ window: Range<Int>) {
        let files = exchange.server.files
        guard let readAhead = files.readAhead(window, of: file, on: exchange.eventLoop) else {
            sendRegion(window)
            return
        }
        // What was written before goes out in the meantime.
        exchange.flush()
        exchange.uncork()
        readAhead.assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success: self.sendRegion(window)
                case .failure(let error): self.exchange.abort("read_failed", file: "\(error)")
                }
            }
    }

    private func sendRegion(_ window: Range<Int>) {
        if mayCork { exchange.cork() }
        let rest = exchange.sendAtOnce(window, of: file)
        guard !rest.isEmpty else {
            wasTaken()
            return
        }
        guard isSound(for: rest) else { return }
        pending = rest
        goOn(after: exchange.enqueue(.fileRegion(lent.region(rest))))
        // A client that is fast enough has taken it by now.
        if pending != nil { watchFile() }
    }

    /// Whether the file has a window; cuts the connection if not.
    private func isSound(for window: Range<Int>) -> Bool {
        guard let problem = exchange.server.files.problem(with: window, of: file) else { return true }
        exchange.abort("read_failed", file: problem)
        return false
    }

    /// Cuts the connection when the file no longer has what is on its way.
    private func watchFile() {
        watch = exchange.eventLoop.assumeIsolated()
            .scheduleTask(in: Self.watchInterval) {
                guard let window = self.pending else { return }
                if self.isSound(for: window) { self.watchFile() }
            }
    }

    /// Reads the next window of a range, and sends it.
    private func read(_ range: Range<Int>) {
        let files = exchange.server.files
        let small = range.prefix(Self.chunkWindow)
        if let contents = files.contentsAtHand(small, of: file, allocator: exchange.allocator) {
            _ = take(small.count, of: range)
            send(contents)
            return
        }
        let window = take(Self.slowChunkWindow, of: range)
        guard isSound(for: window) else { return }
        exchange.flush()
        files.read(lent.region(window), allocator: exchange.allocator, on: exchange.eventLoop)
            .assumeIsolated()
            .whenComplete { self.sendRead($0, of: window) }
    }

    private func sendRead(_ result: Result<ByteBuffer, any Error>, of window: Range<Int>) {
        switch result {
        case .success(let buffer) where buffer.readableBytes == window.count: send(buffer)
        case .success: exchange.abort("read_failed", file: "the file became shorter while it was sent")
        case .failure(let error): exchange.abort("read_failed", file: "\(error)")
        }
    }

    private func send(_ bytes: ByteBuffer) {
        if let taken = exchange.send(bytes) {
            goOn(after: taken)
        } else {
            wasTaken()
        }
    }

    private func goOn(after taken: EventLoopFuture<Void>) {
        taken.assumeIsolated()
            .whenComplete { result in
                self.pending = nil
                self.watch.take()?.cancel()
                guard case .success = result else {
                    self.exchange.abort("send_failed")
                    return
                }
                self.wasTaken()
            }
    }

    private func wasTaken() {
        if segments.isEmpty {
            sendNext()
        } else {
            // Others have their turn; and the stack would grow by every window that a fast client takes at once.
            exchange.eventLoop.assumeIsolated().execute { self.sendNext() }
        }
    }
}
