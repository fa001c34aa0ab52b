import MirrorCore
import NIOCore
import OCI

/// A blob that clients of an event loop ask for by one target, with what its responses have in common; confined to the loop.
final class KnownBlob {
    let digest: Digest
    /// The head of a hit, but for its status and what depends on the part that is sent.
    var hitHead: ResponseHead?
    /// Whether it was looked for before: what is asked for once is not worth a lease.
    fileprivate var isAskedAgain = false
    fileprivate var held: (file: any StoredFile, validity: PreparedAnswer.Validity)?

    init(_ digest: Digest) {
        self.digest = digest
    }
}

/// The blobs that an event loop has lately sent, each with its file open for a moment: whoever asks next for a part of one
/// costs no look into the index, and no `open`.
///
/// An open file is a lease, which keeps eviction off: a few are held, those that are asked for again, and not for long.
/// Confined to the event loop.
final class OpenBlobs {
    /// How long a blob is sent again without a look into the index: long enough for a crowd.
    static let time = TimeAmount.milliseconds(250)
    static let mostHeld = 64

    private var blobs: [KnownBlob] = []
    private let eventLoop: any EventLoop
    private let time: TimeAmount

    init(on eventLoop: any EventLoop, for time: TimeAmount = OpenBlobs.time) {
        self.eventLoop = eventLoop
        self.time = time
    }

    /// A stored blob that may be served, and for how long that may be taken for so; `nil` where the registry has none.
    ///
    /// The caller is for the registry: another one may be given the same file while it is held.
    func stored(
        _ blob: KnownBlob,
        in repository: Repository,
        for caller: Caller,
        of registry: any Registry
    ) -> (file: any StoredFile, validity: PreparedAnswer.Validity)? {
        // Read before the answer: what changes meanwhile must not look like what it was.
        let revision = registry.revision
        let now = NIODeadline.now()
        // What was done to the file since it was opened counts as much as what was done before.
        if let held = blob.held, held.validity.holds(at: revision, now), held.file.isUntouched { return held }
        guard let file = registry.cachedBlob(blob.digest, in: repository, for: caller) else {
            close(blob)
            return nil
        }
        let stored = (file, PreparedAnswer.Validity(revision: revision, end: now + time))
        defer { blob.isAskedAgain = true }
        if blob.held != nil {
            blob.held = stored
        } else if blob.isAskedAgain, blobs.count < Self.mostHeld {
            blob.held = stored
            if blobs.isEmpty { scheduleClosing() }
            blobs.append(blob)
        }
        return stored
    }

    private func close(_ blob: KnownBlob) {
        guard blob.held.take() != nil else { return }
        blobs.removeAll { $0 === blob }
    }

    private func scheduleClosing() {
        eventLoop.assumeIsolated().scheduleTask(in: time) { self.closeOld() }
    }

    private func closeOld() {
        let now = NIODeadline.now()
        blobs.removeAll { blob in
            guard let held = blob.held, held.validity.end <= now else { return false }
            blob.held = nil
            return true
        }
        if !blobs.isEmpty { scheduleClosing() }
    }
}
