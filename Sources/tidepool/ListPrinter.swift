import Foundation
import Locking
import MirrorCore

/// A list of images as people read it, a line at a time.
///
/// The columns have fixed widths and the name comes last, so that nothing is cut and no line waits for the longest.
final class ListPrinter: Sendable {
    private static let title = columns(["SIZE", "HELD", "STORED", "USED"], name: "IMAGE")

    private let now: WallTime
    private let hasTitle = Locked(false)

    init(now: WallTime = .now()) {
        self.now = now
    }

    /// An image's line; the first has the titles above it.
    func line(for image: ImageHolding) -> String {
        let isFirst = hasTitle.withLock { hasTitle in
            defer { hasTitle = true }
            return !hasTitle
        }
        let notes = Self.notes(on: image)
        let name = ImageSheet.shortName(image.reference) + (notes.isEmpty ? "" : "  (\(notes))")
        let cells = [
            Amount.bytes(image.size), Self.held(image), Amount.age(of: image.landedAt, at: now),
            Amount.age(of: image.usedAt, at: now),
        ]
        return (isFirst ? Self.title + "\n" : "") + Self.columns(cells, name: name)
    }

    func text(for total: ListTotal) -> String {
        guard total.images > 0 else { return "no images; \(Amount.bytes(total.size)) stored in all" }
        let images = Amount.count(total.images, "image")
        let state =
            total.incomplete == 0
            ? "all can be pulled without their upstreams"
            : "\(total.incomplete) could not be pulled without \(total.incomplete == 1 ? "its" : "their") upstream"
        return "\(images), \(state); \(Amount.bytes(total.size)) stored in all"
    }

    private static func columns(_ cells: [String], name: String) -> String {
        let widths = [9, -10, 7, 7]
        let padded = zip(cells, widths)
            .map { cell, width in
                let padding = String(repeating: " ", count: max(0, abs(width) - cell.count))
                return width > 0 ? padding + cell : cell + padding
            }
        return (padded + [name]).joined(separator: "  ")
    }

    private static func held(_ image: ImageHolding) -> String {
        switch image.survival {
        case .whole: "all"
        case .partial: "\(image.completePlatforms) of \(image.platformCount)"
        case .incomplete: "incomplete"
        case .unserved: "not served"
        case .absent: "nothing"
        }
    }

    static func notes(on image: ImageHolding) -> String {
        [
            image.isPinned ? "pinned" : nil, image.isGone ? "gone upstream" : nil,
            image.isOlder ? "older than upstream's" : nil,
        ]
        .compactMap(\.self)
        .joined(separator: ", ")
    }
}
