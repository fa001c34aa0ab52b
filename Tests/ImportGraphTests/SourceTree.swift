import Foundation

/// The Swift files of the package, as text.
struct SourceTree {
    struct File {
        /// From the root of the package: `Sources/OCI/Digest.swift`.
        var path: String
        var lines: [String]

        /// The target it belongs to, by its folder.
        var target: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    let files: [File]

    /// Reads every Swift file below a folder of the package.
    init(_ folder: String) throws {
        let base = Self.root.appending(path: folder).path
        let names = FileManager.default.subpaths(atPath: base) ?? []
        files = try names.filter { $0.hasSuffix(".swift") }.sorted()
            .map { name in
                let text = try String(contentsOfFile: "\(base)/\(name)", encoding: .utf8)
                return File(path: "\(folder)/\(name)", lines: text.components(separatedBy: "\n"))
            }
    }

    /// Target → every module that one of its files imports.
    var imports: [String: Set<String>] {
        Dictionary(grouping: files, by: \.target)
            .mapValues { Set($0.flatMap { file in file.lines.compactMap(Self.importedModule) }) }
    }

    /// The module of an import line: `package import OCI`, `@preconcurrency import X`, `import struct X.Y`.
    static func importedModule(_ line: String) -> String? {
        let words = line.split(separator: " ")
            .drop { word in
                word.hasPrefix("@") || ["package", "public", "internal", "private", "fileprivate"].contains(word)
            }
        guard words.first == "import" else { return nil }
        let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let module = words.dropFirst().first { !kinds.contains(String($0)) }
        return module?.split(separator: ".").first.map(String.init)
    }

    /// A line without its comment; good enough for code that has no `//` in a string with the word that is looked for.
    static func code(_ line: String) -> Substring {
        line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line[...]
    }
}
