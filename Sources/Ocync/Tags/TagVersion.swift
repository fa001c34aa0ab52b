/// A tag read as a version: numbers, and a suffix that begins at the first hyphen.
///
/// `v1.27.6-eks-1-27-14` has the numbers 1, 27, 6 and the suffix `eks`, 1, 27, 14. Not SemVer: there may be any count
/// of numbers, `_` separates them too, and a suffix is no prerelease.
package struct TagVersion: Hashable, Sendable {
    package let numbers: [UInt64]
    let suffix: [Piece]

    /// A part of a suffix: digits, or what is between them.
    enum Piece: Hashable, Sendable {
        case number(UInt64)
        case text(String)
    }

    /// Reads a tag; `nil` when what is before the first hyphen is not numbers alone.
    package init?(_ tag: String) {
        let version = tag.hasPrefix("v") ? tag.dropFirst() : tag[...]
        let parts = version.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        var numbers: [UInt64] = []
        for part in parts[0].split(omittingEmptySubsequences: false, whereSeparator: { $0 == "." || $0 == "_" }) {
            guard !part.isEmpty, part.utf8.allSatisfy(\.isDigit), let number = UInt64(part) else { return nil }
            numbers.append(number)
        }
        self.numbers = numbers
        suffix = parts.count > 1 ? Self.pieces(of: parts[1]) : []
    }

    /// Cuts at separators, and where digits begin or end.
    private static func pieces(of suffix: Substring) -> [Piece] {
        suffix.split { "._-".contains($0) }
            .flatMap { part in
                var pieces: [Substring] = []
                var rest = part
                while let first = rest.utf8.first {
                    let isDigit = first.isDigit
                    let piece = rest.utf8.prefix { $0.isDigit == isDigit }
                    pieces.append(Substring(piece))
                    rest = rest[piece.endIndex...]
                }
                return pieces.map { piece in
                    UInt64(piece).map(Piece.number) ?? .text(String(piece))
                }
            }
    }

    /// Whether this is lower than another: by numbers, then a suffix is lower than none, then by the suffixes.
    ///
    /// Versions may be equal here and not by `==`: `1.0` and `1.0.0` are neither lower than the other.
    package func isLower(than other: TagVersion) -> Bool {
        if let isLower = Self.isLower(numbers, other.numbers) { return isLower }
        if suffix.isEmpty || other.suffix.isEmpty { return !suffix.isEmpty && other.suffix.isEmpty }
        for (left, right) in zip(suffix, other.suffix) where left != right {
            return left.isLower(than: right)
        }
        return suffix.count < other.suffix.count
    }

    /// Compares numbers, missing ones being zero; `nil` when they are equal.
    static func isLower(_ left: [UInt64], _ right: [UInt64]) -> Bool? {
        for index in 0..<max(left.count, right.count) {
            let (left, right) = (index < left.count ? left[index] : 0, index < right.count ? right[index] : 0)
            if left != right { return left < right }
        }
        return nil
    }
}

extension TagVersion.Piece {
    /// Numbers are lower than texts, texts compare by their bytes.
    fileprivate func isLower(than other: Self) -> Bool {
        switch (self, other) {
        case (.number(let left), .number(let right)): left < right
        case (.number, .text): true
        case (.text, .number): false
        case (.text(let left), .text(let right)): left.isLowerByBytes(than: right)
        }
    }
}

extension String {
    func isLowerByBytes(than other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}
