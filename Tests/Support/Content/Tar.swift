/// The least of a tar archive (POSIX ustar) that container runtimes unpack: regular files.
package struct Tar {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func add(_ name: String, _ content: [UInt8]) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        put(name, at: 0)
        put("0000644\0", at: 100)
        put("0000000\0", at: 108)
        put("0000000\0", at: 116)
        put(Self.octal(content.count, width: 11) + "\0", at: 124)
        put("00000000000\0", at: 136)
        put("        0", at: 148)
        put("ustar\u{0}00", at: 257)
        put(Self.octal(header.reduce(0) { $0 + Int($1) }, width: 6) + "\0 ", at: 148)
        bytes += header
        bytes += content
        bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    /// The archive with its two closing blocks.
    package consuming func closed() -> [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    private static func octal(_ value: Int, width: Int) -> String {
        let digits = String(value, radix: 8)
        return String(repeating: "0", count: width - digits.count) + digits
    }
}

/// gzip without compression: stored deflate blocks, so that no library is needed and the bytes never change.
package enum StoredGzip {
    package static func wrap(_ content: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
        var start = 0
        repeat {
            let end = min(start + 65535, content.count)
            let length = UInt16(end - start)
            bytes.append(end == content.count ? 1 : 0)
            bytes += littleEndian(length) + littleEndian(~length)
            bytes += content[start..<end]
            start = end
        } while start < content.count
        return bytes + littleEndian(crc32(content)) + littleEndian(UInt32(truncatingIfNeeded: content.count))
    }

    private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian, Array.init)
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in table[Int((crc ^ UInt32(byte)) & 0xff)] ^ (crc >> 8) }
    }

    private static let table: [UInt32] = (0..<256)
        .map { index in
            (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1 }
        }
}
