import Yams

/// A scalar, a sequence or a mapping, and where it stands.
///
/// A view on the parsed tree: an alias is what it refers to, and costs nothing until it is looked at.
package struct YAMLNode {
    private let node: Node

    init(_ node: Node) {
        self.node = node
    }

    /// From 1; for an alias the line of what it refers to.
    package var line: Int? { node.mark?.line }

    package var scalar: YAMLScalar? {
        node.scalar.map { scalar in
            let tag = scalar.tag.description
            return YAMLScalar(text: scalar.string, isPlain: scalar.style == .plain, tag: tag.isEmpty ? nil : tag)
        }
    }

    package var sequence: [YAMLNode]? {
        node.sequence.map { $0.map(YAMLNode.init) }
    }

    /// The entries in the order of the file, with every repetition of a key; merge keys (`<<`) are keys like others.
    package var mapping: [Entry]? {
        node.mapping.map { $0.map { Entry(key: YAMLNode($0.key), value: YAMLNode($0.value)) } }
    }

    /// A key and its value.
    package struct Entry {
        package var key: YAMLNode
        package var value: YAMLNode

        /// `nil` for a key that is no scalar.
        package var name: String? { key.scalar.map { YAMLDocument.originalName(of: $0.text) } }

        /// The line of the key.
        package var line: Int? { key.line }
    }
}

/// A scalar as it was written, before anybody has given it a type.
package struct YAMLScalar: Hashable, Sendable {
    /// The content: without quotes, escapes resolved, lines folded.
    package var text: String
    /// Whether it was written without quotes, and not as a block.
    package var isPlain: Bool
    /// A tag in its full form, `nil` for a plain scalar without one; what is quoted has `tag:yaml.org,2002:str`.
    package var tag: String?

    package init(text: String, isPlain: Bool, tag: String? = nil) {
        self.text = text
        self.isPlain = isPlain
        self.tag = tag
    }
}
