import CPosix
import Glibc

/// What a standard stream leads to, where that is a terminal.
package struct Terminal: Hashable, Sendable {
    /// Its width; 80, the width of most, where it does not tell.
    package var columns: Int

    /// The terminal of this process's standard output, or `nil` when that goes somewhere else.
    package static var standardOutput: Terminal? { Terminal(of: STDOUT_FILENO) }

    /// The terminal that problems and progress are written to.
    package static var standardError: Terminal? { Terminal(of: STDERR_FILENO) }

    private init?(of descriptor: Int32) {
        let columns = Int(cposix_terminal_columns(descriptor))
        guard columns >= 0 else { return nil }
        self.columns = columns == 0 ? 80 : columns
    }
}
