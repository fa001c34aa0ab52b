import FoundationEssentials

/// Looks for secrets where they must never be.
package enum SecretScan {
    /// Which of `secrets` stand in which of `texts`.
    package static func leaks(of secrets: [String], in texts: [String: String]) -> [String] {
        texts.flatMap { place, text in
            secrets.filter { text.contains($0) }.map { "\(place) holds the secret \($0)" }
        }
    }

    /// Which of `secrets` stand in the files below a directory.
    ///
    /// Blobs are left out: they are content, not ours to censor, and large.
    package static func leaks(of secrets: [String], below path: String) -> [String] {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
        return names.filter { !$0.hasPrefix("blobs/") && !$0.hasPrefix("spool/") }
            .flatMap { name in
                // Read as Latin-1, so that binary files are searched too.
                let text = (try? Data(contentsOf: URL(filePath: "\(path)/\(name)"), options: .mappedIfSafe))
                    .flatMap { String(data: $0, encoding: .isoLatin1) }
                return leaks(of: secrets, in: [name: text ?? ""])
            }
    }
}
