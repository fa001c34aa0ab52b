import Curl
import Locking
import MirrorCore
import OCI
import Posix
import RegistryHTTP

/// The running mirror that owns a data directory, asked by its control socket.
///
/// What it is asked for is its own work: it goes on when this process ends, but for what has not been begun.
final class ControlMirror: WarmMirror {
    private let loop = TransferLoop(name: "control")
    private let socket: LocalSocketName

    private init(_ socket: consuming LocalSocketName) {
        self.socket = socket
    }

    /// Finds the mirror; `nil` when nobody listens.
    ///
    /// - Throws: ``ControlFailure`` when somebody does who knows nothing of this.
    static func connect(to path: String) async throws -> ControlMirror? {
        guard try File.status(of: path) != nil else { return nil }
        let mirror = ControlMirror(try LocalSocketName(path))
        do throws(MirrorError) {
            _ = try await mirror.answer(to: .quota(.dockerHub))
            return mirror
        } catch {
            await mirror.close()
            if error == .gone { return nil }
            throw ControlFailure(description: "\(path): the mirror cannot be warmed from here: \(error.label)")
        }
    }

    /// Ends what is being asked, and joins the thread.
    func close() async {
        await withCheckedContinuation { continuation in
            // Ending a thread waits for it; the thread that does ends itself.
            _ = DedicatedThread(name: "shutdown") { [loop] in
                loop.shutDown()
                continuation.resume()
            }
        }
    }

    // MARK: - Questions

    func repository(_ path: String, of registry: String) async throws(MirrorError) -> Repository {
        guard case .repository(let found) = try await answer(to: .repository(path: path, registry: registry)) else {
            throw .misunderstood
        }
        return found
    }

    func tags(in repository: Repository) async throws(MirrorError) -> [String] {
        guard case .tags(let tags) = try await answer(to: .tags(repository)) else { throw .misunderstood }
        return tags
    }

    func look(up tag: OCI.Tag, in repository: Repository, isImmutable: Bool) async throws(MirrorError) -> WarmTag {
        let call = WarmCall.look(tag, repository, isImmutable: isImmutable)
        guard case .tag(let found) = try await answer(to: call) else { throw .misunderstood }
        return found
    }

    func heldManifest(_ digest: Digest, in repository: Repository) async throws(MirrorError) -> HeldManifest? {
        guard case .heldManifest(let held) = try await answer(to: .heldManifest(digest, repository)) else {
            throw .misunderstood
        }
        return held
    }

    func manifest(
        _ digest: Digest,
        in repository: Repository,
        keeping reserve: Int?
    ) async throws(MirrorError) -> WarmManifest {
        let call = WarmCall.manifest(digest, repository, reserve: reserve)
        guard case .manifest(let manifest) = try await answer(to: call) else { throw .misunderstood }
        return manifest
    }

    func holdings(of blobs: [Digest], in repository: Repository) async throws(MirrorError) -> [BlobHolding] {
        var holdings: [BlobHolding] = []
        var rest = blobs[...]
        while !rest.isEmpty {
            let some = Array(rest.prefix(WarmCall.mostBlobs))
            guard case .holdings(let found) = try await answer(to: .holdings(some, repository)),
                found.count == some.count
            else { throw .misunderstood }
            holdings += found
            rest = rest.dropFirst(some.count)
        }
        return holdings
    }

    func warm(
        _ blob: Digest,
        in repository: Repository,
        progress: @escaping @Sendable (Int) -> Void
    ) async throws(MirrorError) {
        guard case .stored = try await answer(to: .blob(blob, repository), progress) else { throw .misunderstood }
    }

    func referrers(of digest: Digest, in repository: Repository) async throws(MirrorError) -> [UInt8] {
        guard case .referrers(let document) = try await answer(to: .referrers(digest, repository)) else {
            throw .misunderstood
        }
        return document
    }

    func quota(of upstream: UpstreamName) async -> WarmQuota {
        guard case .quota(let quota) = try? await answer(to: .quota(upstream)) else { return WarmQuota() }
        return quota
    }

    /// The last line of the answer.
    private func answer(
        to call: WarmCall,
        _ progress: (@Sendable (Int) -> Void)? = nil
    ) async throws(MirrorError) -> WarmLine {
        let last = Locked<WarmLine?>(nil)
        let sink = LineSink { line in
            switch try? WarmLine(json: line) {
            case .received(let count): progress?(count)
            case let line?: last.withLock { $0 = line }
            // A later version's: nothing that this one could use.
            case nil: break
            }
        }
        let request = TransferRequest(
            .post(form: ""),
            url: "http://tidepool\(call.target)",
            timeouts: ControlClient.patience,
            connection: .init(proxy: "", unixSocket: socket.text)
        )
        let status: Int
        do throws(TransferError) {
            status = try await loop.send(request, to: sink).status
        } catch {
            throw Task.isCancelled ? .shuttingDown : .gone
        }
        guard status == 200 else { throw .unavailable(reason: "mirror_status_\(status)", retryAfter: nil) }
        switch last.withLock({ $0 }) {
        case nil: throw .gone
        case .error(let error)?: throw error
        case let line?: return line
        }
    }
}

extension MirrorError {
    /// The mirror does not answer any more.
    fileprivate static let gone = MirrorError.unavailable(reason: "mirror_gone", retryAfter: nil)
    /// The mirror is of another version.
    fileprivate static let misunderstood = MirrorError.unavailable(reason: "mirror_version", retryAfter: nil)
}
