import Glibc
import Locking
import MirrorCore

/// An unlinked temporary file: a descriptor that a reader can `pread` and `sendfile` from.
final class MemoryFile: StoredFile {
    let descriptor: Int32
    private let length = Locked(0)

    init() {
        let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(directory)/tidepool-test-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        precondition(descriptor >= 0, "mkstemp: errno \(errno)")
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        unlink(template)
    }

    convenience init(_ bytes: [UInt8]) {
        self.init()
        append(bytes.span)
    }

    deinit {
        close(descriptor)
    }

    var size: Int { length.withLock { $0 } }
    var isUntouched: Bool { true }

    /// Everything in the file.
    var bytes: [UInt8] {
        let count = size
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = max(0, pread(descriptor, buffer.baseAddress, count, 0))
        }
    }

    func append(_ bytes: Span<UInt8>) {
        length.withLock { length in
            let written = bytes.withUnsafeBufferPointer { pwrite(descriptor, $0.baseAddress, $0.count, length) }
            precondition(written == bytes.count, "pwrite: errno \(errno)")
            length += bytes.count
        }
    }
}
