import FoundationEssentials

/// A directory under the system's temporary one, removed with everything in it when the value goes away.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init(_ label: String) throws {
        // Short on purpose: the path of a Unix socket in it may have 107 bytes.
        var random = SystemRandomNumberGenerator()
        path = "/tmp/tp-\(label)-\(String(UInt32.random(in: .min ... .max, using: &random), radix: 36))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of something in it.
    package func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file, making the directories above it, and returns its path.
    @discardableResult
    package func write(_ text: String, to name: String, executable: Bool = false) throws -> String {
        let target = path(name)
        try makeDirectory(String(name.split(separator: "/").dropLast().joined(separator: "/")))
        try Data(text.utf8).write(to: URL(filePath: target))
        if executable {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: target)
        }
        return target
    }

    @discardableResult
    package func makeDirectory(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
        return path(name)
    }

    /// A file's text; empty when there is none.
    package func read(_ name: String) -> String { String(decoding: bytes(name), as: UTF8.self) }

    /// A file's bytes; none when there is no file.
    package func bytes(_ name: String) -> [UInt8] {
        (try? Data(contentsOf: URL(filePath: path(name)))).map(Array.init) ?? []
    }

    /// Every file below it, as paths relative to it.
    package func files(under name: String = "") -> [String] {
        let found = try? FileManager.default.subpathsOfDirectory(atPath: name.isEmpty ? path : path(name))
        return (found ?? []).filter { !isDirectory(name.isEmpty ? $0 : "\(name)/\($0)") }
    }

    private func isDirectory(_ name: String) -> Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path(name))
        return attributes?[.type] as? FileAttributeType == .typeDirectory
    }
}
