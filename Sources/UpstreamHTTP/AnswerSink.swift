import Curl
import Locking
import MirrorCore

/// A whole answer, but for a body that went elsewhere.
struct Answer: Sendable {
    var head: ResponseHead
    var body: [UInt8]
    /// Where it came from, after redirects.
    var location: Location

    var status: Int { head.status }
}

/// What is to become of a successful body.
enum BodyUse: Sendable {
    /// Kept, up to so many bytes.
    case keep(limit: Int)
    /// Not read: the head is all that is wanted of a GET.
    case drop
    /// Handed on, from that offset of the blob.
    case relay(any BlobSink, offset: Int)
}

/// Takes one answer off the transfer thread.
///
/// Error bodies are kept as far as anyone reads them, whatever the use of a good one is.
final class AnswerSink: TransferSink {
    /// How much of an error's body is kept: the text of a limit or a refusal.
    static let errorBodyLimit = 64 << 10

    private struct State {
        var head: ResponseHead?
        var body: [UInt8] = []
        var received = 0
        var relay: BlobRelay?
        var failure: UpstreamError?
        var isCutShort = false
    }

    private let use: BodyUse
    private let onHead: @Sendable (_ status: Int) -> Void
    private let state = Locked(State())

    /// Makes a sink that calls `onHead` on the transfer thread when the head has come, however long the body then takes.
    init(_ use: BodyUse, onHead: @escaping @Sendable (_ status: Int) -> Void = { _ in }) {
        self.use = use
        self.onHead = onHead
    }

    func begin(_ head: ResponseHead) -> Bool {
        // The lock is only for the reader afterwards: this thread alone calls until then.
        state.withLock { $0.head = head }
        onHead(head.status)
        guard head.isSuccess else { return true }
        guard head.isIdentityEncoded else { return fail(.unusable("a content-encoded answer")) }
        switch use {
        case .keep: return true
        case .drop:
            state.withLock { $0.isCutShort = true }
            return false
        case .relay(let sink, let offset):
            do throws(UpstreamError) {
                let relay = try BlobRelay(to: sink, head: head, askedFrom: offset)
                state.withLock { $0.relay = relay }
                return relay.begin()
            } catch {
                return fail(error)
            }
        }
    }

    func receive(_ bytes: Span<UInt8>) -> Intake {
        let (relay, isSuccess) = state.withLock { ($0.relay, $0.head?.isSuccess == true) }
        if let relay, let answer = handOn(bytes, to: relay) { return answer }
        // What is handed over again after a rest is counted then.
        state.withLock { $0.received += bytes.count }
        guard relay == nil else { return .taken }
        guard case .keep(let limit) = use, isSuccess else { return keepError(bytes) ? .taken : .refused }
        return keep(bytes, limit: limit) || fail(.unusable("an answer of more than \(limit) bytes")) ? .taken : .refused
    }

    /// Hands bytes on; returns what is to be said of them if they were not taken.
    private func handOn(_ bytes: Span<UInt8>, to relay: BlobRelay) -> Intake? {
        do throws(UpstreamError) {
            switch try relay.receive(bytes) {
            case .taken: return nil
            case .refused: return .refused
            case .full(let register): return .full(register)
            }
        } catch {
            _ = fail(error)
            return .refused
        }
    }

    /// Keeps the beginning of an error's body; returns whether more of it is wanted.
    private func keepError(_ bytes: Span<UInt8>) -> Bool {
        state.withLock { state in
            let beginning = bytes.extracting(first: Self.errorBodyLimit - state.body.count)
            for index in beginning.indices { state.body.append(beginning[index]) }
            state.isCutShort = beginning.count < bytes.count
            return !state.isCutShort
        }
    }

    private func keep(_ bytes: Span<UInt8>, limit: Int) -> Bool {
        state.withLock { state in
            guard state.body.count + bytes.count <= limit else { return false }
            for index in bytes.indices { state.body.append(bytes[index]) }
            return true
        }
    }

    private func fail(_ error: UpstreamError) -> Bool {
        state.withLock { $0.failure = error }
        return false
    }

    var receivedBytes: Int { state.withLock { $0.received } }
    /// The status, if the head has come.
    var status: Int? { state.withLock { $0.head?.status } }

    /// The answer, now that the transfer has ended, with `error` if that is how it did.
    func answer(from location: Location, endedWith error: TransferError?) throws(UpstreamError) -> Answer {
        let state = state.withLock { $0 }
        if let failure = state.failure { throw failure }
        if let error, !(error.code == .refused && state.isCutShort) { throw UpstreamError(error) }
        try state.relay?.checkLength()
        guard let head = state.head else { throw .unavailable(.truncated) }
        return Answer(head: head, body: state.body, location: location)
    }
}

extension ResponseHead {
    var isSuccess: Bool { (200..<300).contains(status) }

    var isIdentityEncoded: Bool {
        all("Content-Encoding").allSatisfy { $0.isEmpty || $0.lowercased() == "identity" }
    }

    /// The lengths that a head may tell, in bytes: a larger one is no blob's, and sums with these do not overflow.
    static let believedLengths = 0...(1 << 50)

    /// The length of the body, where the head tells it and is to be believed (RFC 9112, 6.3).
    var contentLength: Int? {
        guard self["Transfer-Encoding"] == nil, let length = self["Content-Length"].flatMap({ Int($0) }),
            Self.believedLengths.contains(length)
        else { return nil }
        return length
    }
}

extension UpstreamError {
    init(_ error: TransferError) {
        self =
            switch error.code {
            case .dns: .unavailable(.dns)
            case .unreachable: .unavailable(.refused)
            case .truncated: .unavailable(.truncated)
            case .timedOut: .unavailable(.timeout)
            case .untrusted: .unavailable(.tls)
            case .refused: .refusedBySink
            case .cancelled: .cancelled
            case .refusedAddress: .unusable("an address that is not to be connected to")
            case .tooLarge: .unusable("a response head that is too large")
            case .other(let code): .unusable("libcurl result \(code)")
            }
    }
}
