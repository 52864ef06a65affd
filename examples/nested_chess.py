"""Two players of chess: each move is a private talk of a player with the board, through tools.

The board knows how pieces move and that a king must not be left in check. Castling, taking a pawn
in passing and draws are left out.
"""

from typing import Annotated

from autogen import ConversableAgent, config_list_from_json

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST"), "cache_seed": None}

STRAIGHT = [(1, 0), (-1, 0), (0, 1), (0, -1)]
DIAGONAL = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
LEAPS = [(a * x, b * y) for x, y in ((1, 2), (2, 1)) for a in (1, -1) for b in (1, -1)]
STEPS = {
    "R": STRAIGHT,
    "B": DIAGONAL,
    "Q": STRAIGHT + DIAGONAL,
    "K": STRAIGHT + DIAGONAL,
    "N": LEAPS,
}


class Board:
    """Pieces by (file, rank), both from 0; upper case is white."""

    def __init__(self):
        back = "RNBQKBNR"
        self.pieces = {(i, 0): piece for i, piece in enumerate(back)}
        self.pieces |= {(i, 7): piece.lower() for i, piece in enumerate(back)}
        self.pieces |= {(i, 1): "P" for i in range(8)} | {(i, 6): "p" for i in range(8)}
        self.white_to_move = True
        self.moves: list[str] = []

    def reach(self, start):
        """Where the piece at `start` could go, kings aside."""
        piece = self.pieces[start]
        (x, y), is_white = start, piece.isupper()
        if piece in "Pp":
            up = 1 if is_white else -1
            n_steps = 2 if y == (1 if is_white else 6) else 1
            for n in range(1, n_steps + 1):
                if (x, y + n * up) in self.pieces or not 0 <= y + n * up < 8:
                    break
                yield x, y + n * up
            for to in ((x - 1, y + up), (x + 1, y + up)):
                if to in self.pieces and self.pieces[to].isupper() != is_white:
                    yield to
            return
        for dx, dy in STEPS[piece.upper()]:
            to = (x + dx, y + dy)
            while 0 <= to[0] < 8 and 0 <= to[1] < 8:
                if to not in self.pieces:
                    yield to
                else:
                    if self.pieces[to].isupper() != is_white:
                        yield to
                    break
                if piece in "KkNn":
                    break
                to = (to[0] + dx, to[1] + dy)

    def is_in_check(self, white):
        """Whether the king of that side could be taken."""
        king = next(at for at, piece in self.pieces.items() if piece == ("K" if white else "k"))
        others = [at for at, piece in self.pieces.items() if piece.isupper() != white]
        return any(king in self.reach(at) for at in others)

    def after(self, start, to):
        """The board after a move."""
        board = Board()
        board.pieces = dict(self.pieces)
        piece = board.pieces.pop(start)
        board.pieces[to] = {("P", 7): "Q", ("p", 0): "q"}.get((piece, to[1]), piece)
        return board

    def legal_moves(self):
        """Moves like e2e4, sorted."""
        own = [at for at, piece in self.pieces.items() if piece.isupper() == self.white_to_move]
        return sorted(
            square(start) + square(to)
            for start in own
            for to in self.reach(start)
            if not self.after(start, to).is_in_check(self.white_to_move)
        )

    def play(self, move):
        """Make a legal move."""
        self.pieces = self.after(place(move[:2]), place(move[2:])).pieces
        self.white_to_move = not self.white_to_move
        self.moves.append(move)

    def __str__(self):
        rows = ("".join(self.pieces.get((x, y), ".") for x in range(8)) for y in range(7, -1, -1))
        return "\n".join(rows)


def square(at):
    return "abcdefgh"[at[0]] + str(at[1] + 1)


def place(name):
    return "abcdefgh".index(name[0]), int(name[1]) - 1


board = Board()
has_moved = False


def get_legal_moves() -> Annotated[str, "All legal moves, as start and end square"]:
    return ", ".join(board.legal_moves())


def make_move(move: Annotated[str, "A move such as e2e4"]) -> Annotated[str, "What happened"]:
    global has_moved
    if move not in board.legal_moves():
        raise ValueError(f"{move} is not legal here; ask for the legal moves.")
    board.play(move)
    has_moved = True
    return f"Moved from {move[:2]} to {move[2:]}.\n{board}"


def made_a_move(message):
    """The talk with the board is over once a move was made."""
    global has_moved
    done, has_moved = has_moved, False
    return done


board_proxy = ConversableAgent(
    "board_proxy",
    llm_config=False,
    human_input_mode="NEVER",
    is_termination_msg=made_a_move,
    default_auto_reply="Please make a move.",
)
white, black = (
    ConversableAgent(
        f"player_{color}",
        system_message=f"You play chess, and you have the {color} pieces. First call "
        "get_legal_moves, then make_move with one of them. Then say one sentence about it.",
        llm_config=llm_config,
        human_input_mode="NEVER",
    )
    for color in ("white", "black")
)

for tool in (get_legal_moves, make_move):
    board_proxy.register_for_execution()(tool)

for player, other in ((white, black), (black, white)):
    player.register_for_llm(description="All legal moves.")(get_legal_moves)
    player.register_for_llm(description="Make a move, such as e2e4.")(make_move)
    # What the opponent says reaches a player by way of the board.
    player.register_nested_chats(
        trigger=other,
        chat_queue=[
            {
                "sender": board_proxy,
                "recipient": player,
                "summary_method": "last_msg",
                "silent": True,
            }
        ],
    )

result = black.initiate_chat(white, message="Let us play. It is your move.", max_turns=2)

print(board)
print("Moves:", " ".join(board.moves))
