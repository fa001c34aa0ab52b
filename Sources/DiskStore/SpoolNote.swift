import Locking
import OCI
import Posix

/// What is known for certain of a spool, in a small file beside it.
///
/// The file comes with the first sync of the spool, so a blob that is fetched in one go never has one. It is written in
/// place, less than a sector at once; one that is torn all the same says nothing, by its hash, and costs the spool.
final class SpoolNote: Sendable {
    private struct State {
        /// Whether there may be a file.
        var isMade: Bool
        /// Whether its name, and the spool's, are on the device.
        var isNameDurable = false
        var isRemoved = false
    }

    private let path: String
    private let known: Locked<Int?>
    private let state: Locked<State>

    /// A note that is not written yet, or that an earlier flight may have written.
    init(at path: String, length: Int?, mayExist: Bool) {
        self.path = path
        known = Locked(length)
        state = Locked(State(isMade: mayExist))
    }

    /// The length of the blob, where it is known; never waits for the disk.
    var length: Int? { known.withLock { $0 } }

    /// Has the next note tell the length of the blob.
    func expect(length: Int) {
        known.withLock { $0 = length }
    }

    /// Notes, durably, that so many bytes are on the device; waits for the disk.
    ///
    /// The lock is kept for that, so that a note never comes after its own removal.
    func write(synced: Int) throws(SystemCallError) {
        try state.withLock { state throws(SystemCallError) in
            guard !state.isRemoved else { return }
            let file = try FileDescriptor.open(path, .openOrCreate)
            let contents = Contents(synced: synced, length: length)
            state.isMade = true
            try file.write(contents.encoded.span, at: 0)
            try file.synchronizeData()
            guard !state.isNameDurable else { return }
            try Directory.synchronize(Directory.parent(of: path))
            state.isNameDurable = true
        }
    }

    /// Removes it, for good.
    func remove() {
        state.withLock { state in
            state.isRemoved = true
            if state.isMade { _ = try? File.remove(path) }
        }
    }
}

extension SpoolNote {
    struct Contents: Hashable {
        /// This many bytes from the start of the spool are on the device.
        var synced: Int
        /// The length of the blob, where it is known.
        var length: Int?
    }
}

extension SpoolNote.Contents {
    private static let format = "tidepool-spool-1"
    /// The same for all, so that a later note covers the one before.
    private static let byteCount = 256

    /// A line of text, with the hash of what is before it, filled up with spaces.
    var encoded: [UInt8] {
        let text = "\(Self.format) \(synced) \(length ?? -1)"
        let line = Array("\(text) \(Self.seal(text))".utf8)
        return line + [UInt8](repeating: UInt8(ascii: " "), count: Self.byteCount - 1 - line.count) + [
            UInt8(ascii: "\n")
        ]
    }

    /// Fails, with `nil`, on whatever was not written whole by ``encoded``.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        let fields = String(decoding: bytes.dropLast(), as: UTF8.self).split(separator: " ")
        guard fields.count == 4, fields[0] == Self.format,
            let synced = Int(fields[1]), synced >= 0,
            let length = Int(fields[2]), length >= -1,
            fields[3] == Self.seal(fields[..<3].joined(separator: " "))
        else { return nil }
        self.synced = synced
        self.length = length < 0 ? nil : length
    }

    private static func seal(_ text: String) -> String {
        Digest(hashing: Array(text.utf8), .sha256).hex
    }

    /// Reads a note; `nil` when there is none, or none that can be trusted.
    init?(at path: String) {
        guard let bytes = try? File.contents(of: path, limit: Self.byteCount + 1) else { return nil }
        self.init(bytes)
    }
}
