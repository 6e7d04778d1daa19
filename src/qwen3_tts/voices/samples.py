"""What a designed voice says to be heard and then cloned: two sentences, about eight seconds.

Between them a voice shows its pitch in a statement and in a question. No numbers and no names, as
what is heard must be what is written.
"""

from qwen3_tts.errors import InvalidText

SAMPLES = {
    "chinese": "今天早上天气很好，我沿着河边慢慢地走，听见远处有人在唱歌。你愿意和我一起去看看吗？",
    "english": "This morning the air was clear, and I walked slowly along the river while somebody "
    "sang in the distance. Would you like to come with me?",
    "french": "Ce matin l'air était doux, et j'ai marché lentement le long de la rivière pendant "
    "que quelqu'un chantait au loin. Voulez-vous venir avec moi ?",
    "german": "Heute Morgen war die Luft klar, und ich ging langsam am Fluss entlang, während in "
    "der Ferne jemand sang. Möchten Sie mich begleiten?",
    "italian": "Questa mattina l'aria era limpida e camminavo piano lungo il fiume, mentre "
    "qualcuno cantava in lontananza. Volete venire con me?",
    "japanese": "今朝は空気が澄んでいて、遠くの歌声を聞きながら、川沿いをゆっくり歩きました。"
    "あなたも一緒に行きませんか？",
    "korean": "오늘 아침에는 공기가 맑아서, 멀리서 들려오는 노래를 들으며 강가를 천천히 걸었어요. "
    "저와 함께 가 보시겠어요?",
    "portuguese": "Esta manhã o ar estava limpo, e caminhei devagar ao longo do rio enquanto "
    "alguém cantava ao longe. Você gostaria de vir comigo?",
    "russian": "Сегодня утром воздух был чистым, и мы медленно шли вдоль реки, а вдалеке кто-то "
    "пел. Хотите пойти со мной?",
    "spanish": "Esta mañana el aire estaba limpio y caminé despacio junto al río mientras alguien "
    "cantaba a lo lejos. ¿Quiere venir conmigo?",
}


def sample_text(language: str) -> str:
    """The sample in a language, named as a checkpoint names it. Raises `InvalidText`."""
    if language not in SAMPLES:
        raise InvalidText(
            f"there is no sample text in {language!r:.40}; give one, or speak: {', '.join(SAMPLES)}"
        )
    return SAMPLES[language]
