import Posix

extension RunningHash {
    /// How much of a file is read and hashed at once: a millisecond of a store thread's time.
    static let piece = 1 << 20

    /// Reads and hashes the piece of a file at `offset`, on a store thread; returns how much there was.
    func read(_ file: OpenFile, at offset: Int) -> Result<Int, SystemCallError> {
        Result { () throws(SystemCallError) in
            let bytes = try file.read(Self.piece, at: offset)
            update(bytes.span)
            return bytes.count
        }
    }
}
