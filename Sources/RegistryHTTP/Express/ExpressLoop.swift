import Logging
import NIOCore
import NIOPosix
import Posix

/// What the express lane's thread does: accepts connections, and answers or hands over each as soon as it has sent something.
///
/// Confined to that thread.
final class ExpressLoop {
    private let listeners: [Int32: ListeningSocket]
    private let epoll: Epoll
    private let end: EventDescriptor
    private let server: ServerContext
    private let responder: ExpressResponder
    private let handOver: HandOver
    private let longestWait: TimeAmount
    /// How often it is looked for clients that have not sent anything for so long.
    private let checkInterval: TimeAmount
    /// What has sent nothing yet, by the socket's number.
    private var waiting: [Int32: ExpressConnection] = [:]
    private var nextCheck = NIODeadline.distantFuture
    /// When connections are accepted again, if they are not.
    private var pauseEnd: NIODeadline?
    /// The listeners that are not waited for meanwhile.
    private var paused: [Int32] = []
    private var isInTrouble = false
    private var buffer = [UInt8](repeating: 0, count: longestRequest)

    /// A longer head is not read here.
    private static let longestRequest = 4096
    private static let mostWaiting = 1024
    private static let pauseLength = TimeAmount.milliseconds(100)
    /// So many connections of a crowd are let in before those are served that are in.
    private static let mostAccepted = 64

    /// The listeners, and the descriptor that tells of the end, are in the epoll set already.
    init(
        _ listeners: [ListeningSocket],
        _ epoll: Epoll,
        until end: EventDescriptor,
        server: ServerContext,
        answers: ExpressAnswers,
        group: MultiThreadedEventLoopGroup
    ) {
        self.listeners = Dictionary(uniqueKeysWithValues: listeners.map { ($0.rawValue, $0) })
        self.epoll = epoll
        self.end = end
        self.server = server
        responder = ExpressResponder(server, answers)
        handOver = HandOver(server, to: group)
        longestWait = TimeAmount(server.options.expressWait)
        checkInterval = TimeAmount(server.options.expressWait / 2)
    }

    /// Runs until it is told to end; then nothing is held any more.
    func run() {
        var ready: [Int32] = []
        while true {
            epoll.wait(for: timeToNextCheck, &ready)
            guard !ready.contains(end.rawValue) else { break }
            var accepted: [ExpressConnection] = []
            for number in ready {
                if let listener = listeners[number] {
                    accept(from: listener, into: &accepted)
                } else if let connection = waiting[number], serve(connection, isWaiting: true) {
                    waiting[number] = nil
                }
            }
            for connection in accepted where !serve(connection, isWaiting: false) {
                wait(for: connection)
            }
            check()
        }
        // What was sent is answered, here or by an event loop; the others are closed, as idle connections are.
        for connection in acceptAll() { _ = serve(connection, isWaiting: false) }
        for connection in waiting.values { _ = serve(connection, isWaiting: true) }
        waiting.removeAll()
    }

    // MARK: - Connections

    /// Answers or hands over a connection that has sent something; returns whether it is done with.
    private func serve(_ connection: ExpressConnection, isWaiting: Bool) -> Bool {
        switch connection.receive(into: &buffer) {
        case .nothing: return false
        case .end: return true
        case .bytes(let count):
            let request = buffer[..<count]
            // Where the buffer is full, there may be more.
            let outcome = count < buffer.count ? responder.answer(request, on: connection) : .declined
            switch outcome {
            case .answered: break
            case .answeredInPart(let rest): give(connection, after: .answered(but: rest), isWaiting: isWaiting)
            case .declined:
                give(connection, after: .received(ByteBuffer(bytes: request)), isWaiting: isWaiting)
            }
            return true
        }
    }

    private func give(_ connection: ExpressConnection, after beginning: ConnectionBeginning, isWaiting: Bool) {
        // Closing takes a socket out of the set, handing it over does not.
        if isWaiting { epoll.remove(connection.number) }
        handOver.give(connection, after: beginning)
    }

    private func wait(for connection: ExpressConnection) {
        guard waiting.count < Self.mostWaiting, (try? epoll.add(connection.number)) != nil else {
            give(connection, after: .nothing, isWaiting: false)
            return
        }
        waiting[connection.number] = connection
        nextCheck = min(nextCheck, connection.start + checkInterval)
    }

    // MARK: - Accepting

    /// Takes what has come before the end: nearly all of it has sent a request, which closing the listeners would refuse.
    private func acceptAll() -> [ExpressConnection] {
        var accepted: [ExpressConnection] = []
        for listener in listeners.values {
            // Bounded, since others may go on to come.
            for _ in 0..<Self.mostAccepted {
                guard accept(from: listener, into: &accepted) else { break }
            }
        }
        return accepted
    }

    /// Lets in what waits, and not too much of it at once; returns whether there may be more.
    @discardableResult
    private func accept(from listener: ListeningSocket, into accepted: inout [ExpressConnection]) -> Bool {
        guard !paused.contains(listener.rawValue) else { return false }
        for _ in 0..<Self.mostAccepted {
            do throws(SystemCallError) {
                let wasThereOne = try listener.accept { socket, peer in
                    // One that is not admitted is closed at once.
                    guard let admission = server.connections.admit() else { return }
                    accepted.append(ExpressConnection(socket, from: peer, admission: admission))
                }
                isInTrouble = false
                guard wasThereOne else { return false }
            } catch {
                // Other errors are of a connection that has failed already (accept(2)).
                guard error.isOfResources else { continue }
                pause(because: error)
                return false
            }
        }
        return true
    }

    /// Leaves connections where they wait: until there are descriptors again, the listeners would have it turn for nothing.
    private func pause(because error: SystemCallError) {
        if !isInTrouble {
            server.logger.warning("connections cannot be accepted for now", metadata: ["error": "\(error)"])
        }
        isInTrouble = true
        for number in listeners.keys where !paused.contains(number) {
            epoll.remove(number)
            paused.append(number)
        }
        pauseEnd = .now() + Self.pauseLength
    }

    // MARK: - What time brings

    private var timeToNextCheck: Duration? {
        let next = min(nextCheck, pauseEnd ?? .distantFuture)
        guard next < .distantFuture else { return nil }
        return .nanoseconds(max(0, (next - .now()).nanoseconds))
    }

    private func check() {
        guard nextCheck < .distantFuture || pauseEnd != nil else { return }
        let now = NIODeadline.now()
        if nextCheck <= now {
            for (number, connection) in waiting where now - connection.start >= longestWait {
                waiting[number] = nil
                give(connection, after: .nothing, isWaiting: true)
            }
            nextCheck = waiting.isEmpty ? .distantFuture : now + checkInterval
        }
        if let pauseEnd, pauseEnd <= now {
            // What the system has no room for is tried again.
            paused.removeAll { (try? epoll.add($0)) != nil }
            self.pauseEnd = paused.isEmpty ? nil : now + Self.pauseLength
        }
    }
}
