package import NIOCore

/// The last lines of a response's head, which are another's in each response.
package struct ResponseEnd {
    /// What is said of the connection's future, if anything has to be.
    package enum Persistence {
        /// HTTP/1.1 goes on unless told.
        case usual
        /// HTTP/1.0 ends unless told.
        case keepAlive
        case close
    }

    let id: String
    /// The whole `Date` line, with its end.
    let date: [UInt8]
    let persistence: Persistence

    /// Room enough for these lines.
    static let capacity = 192

    package init(id: String, date: [UInt8], persistence: Persistence) {
        self.id = id
        self.date = date
        self.persistence = persistence
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeStaticString("X-Request-Id: ")
        buffer.writeString(id)
        buffer.writeStaticString("\r\n")
        buffer.writeBytes(date)
        switch persistence {
        case .usual: buffer.writeStaticString("\r\n")
        case .keepAlive: buffer.writeStaticString("Connection: keep-alive\r\n\r\n")
        case .close: buffer.writeStaticString("Connection: close\r\n\r\n")
        }
    }
}
