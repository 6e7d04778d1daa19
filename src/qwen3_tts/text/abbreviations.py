"""Abbreviations of ten languages, sorted by what their full stop means.

All are kept in lower case and without their last stop. One letter with a stop is an abbreviation
or an initial in every language, so single letters are not listed.
"""

from dataclasses import dataclass
from functools import cache, cached_property


@dataclass(frozen=True)
class Abbreviations:
    """Words whose full stop may not end a sentence.

    `before`: something always follows (a title and its name), the sentence goes on.
    `numbered`: the sentence goes on if a number follows.
    `within`: may end a sentence; it does if a word follows that is in `openers`.
    `openers`: words that often begin a sentence and seldom follow an abbreviation inside one.
    `ordinals`: a number with a full stop is an ordinal, as in "am 3. Mai".
    `suffixes`: words that end so are abbreviations of the kind `within`, as "Goethestr.".
    """

    before: frozenset[str]
    numbered: frozenset[str]
    within: frozenset[str]
    openers: frozenset[str]
    ordinals: bool = False
    suffixes: tuple[str, ...] = ()

    @cached_property
    def listed(self) -> frozenset[str]:
        """All of them, and the last parts of those that have a stop inside."""
        parts = {word.rpartition(".")[2] for word in self.dotted}
        return self.before | self.numbered | self.within | parts

    @cached_property
    def dotted(self) -> tuple[str, ...]:
        """Those of `before` that have a stop inside, as "z.b" of "z. B."."""
        return tuple(sorted(word for word in self.before if "." in word))


def _table(
    before: str,
    numbered: str,
    within: str,
    openers: str,
    *,
    ordinals: bool = False,
    suffixes: tuple[str, ...] = (),
) -> Abbreviations:
    return Abbreviations(
        frozenset(before.split()),
        frozenset(numbered.split()),
        frozenset(within.split()),
        frozenset(openers.split()),
        ordinals,
        suffixes,
    )


ENGLISH = _table(
    before="""mr mrs ms mx messrs mme dr drs prof rev hon gen col lt sgt capt cpt cmdr adm maj brig
        gov sen rep pres supt cf viz vs e.g i.e mt""",
    numbered="""no nos p pp para fig figs vol vols ch chap sec sect eq eqs art ed op ver v nr pt
        tel ext rm""",
    within="""inc ltd co corp bros llc plc jr sr st ave blvd rd dept univ est approx a.m p.m u.s u.k
        u.n e.u u.s.a ph.d m.d b.a m.a b.c a.d c.e b.c.e d.c jan feb mar apr jun jul aug sep sept
        oct nov dec mon tue tues wed thu thurs fri assn gov misc yr yrs hr hrs lb lbs oz ft
        sq mph esq""",
    openers="""the a an he she it we they i you this that these those there then but and so if when
        while after before in on at for from as however his her its my our their your what who why
        how where no yes not now one some many most all do does did is are was were have has had can
        could will would may might let please meanwhile later today yesterday tomorrow nobody
        nothing everyone everything both each every another two three perhaps maybe although because
        with without to""",
)
GERMAN = _table(
    before="""hr hrn fr frl dr dres prof dipl ing dipl.-ing med phil jur nat rer hl st geb gest
        z.b d.h i.d.r i.a u.a bzw ca evtl ggf vgl sog inkl exkl bspw zzgl abzgl insb insbes allg
        einschl lt gem bes mind max min verh ehem z.t z.zt m.e v.a s.o s.u o.g u.u""",
    numbered="nr nrn s abb bd bde art kap tel abs tab aufl hrsg fig vol ziff lfd",
    within="""str jh jhd jhs mio mrd tsd std sek v.chr n.chr chr co kg bhf jan feb mär mrz apr jun
        jul aug sep sept okt nov dez u.ä o.ä etc usw usf u.s.w dgl od""",
    openers="""der die das ein eine einer einem einen er sie es wir ihr ich du man dies diese dieser
        dieses dann aber und so wenn als nach vor in im am an auf für von bei mit doch auch nun hier
        dort da danach heute gestern morgen was wer wie wo warum ja nein nicht kein keine zum zur
        bis seit trotzdem später jetzt alle alles niemand nichts jeder viele unser unsere sein seine
        mein meine ihre den dem des deshalb daher damals dabei darum obwohl weil während ob nur noch
        schon immer manchmal vielleicht bitte""",
    ordinals=True,
    suffixes=("str",),
)
FRENCH = _table(
    before="""m mm mr mme mmes mlle mlles dr drs pr mgr st ste sts cf p.ex c.-à-d c.à.d c-à-d av bd
        éd dir gén cap col lt""",
    numbered="n nos p pp art fig vol chap ch t tél réf vers",
    within="""etc j.-c env janv févr avr juil sept oct nov déc hab min max sec cie s.a ltd inc
        a.m p.m""",
    openers="""le la les l un une des il elle on nous vous ils elles je j tu ce c cet cette ces mais
        et ou donc or ni car puis alors ensuite après avant quand si s dans en sur pour par avec
        sans son sa ses mon ma mes notre votre leur leurs qui que qu quoi où comment pourquoi oui
        non ne n y d de du au aux tout tous rien personne chaque plusieurs hier demain aujourd
        maintenant enfin cependant pourtant ainsi voici voilà depuis""",
)
SPANISH = _table(
    before="""sr sra sres sras srta srtas dr dra dres dras d.ª dña lic ing arq prof profa gral cap
        cmdte tte sto sta fr mons av avda avd ee rr p.ej v.gr cf vs ntra excmo excma ilmo""",
    numbered="núm núms nro n.º pág págs pp art arts fig figs vol cap tel tfno ed apdo",
    within="""etc ee.uu eeuu uu hh rr.hh a.c d.c a.m p.m s.a s.l cía hnos aprox depto dpto ud uds
        vd vds ene feb abr jun jul ago sept oct nov dic mín máx esq""",
    openers="""el la los las un una unos unas lo él ella ellos ellas yo tú usted ustedes nosotros es
        son era fue eran hay no sí pero y o si cuando mientras después antes en de a al del por para
        con sin como su sus mi mis tu tus nuestro este esta esto ese esa eso aquel aquella entonces
        luego ya así también además aunque porque que qué quién cómo dónde hoy ayer mañana nadie
        nada todo todos cada muchos se le les me nos te""",
)
PORTUGUESE = _table(
    before="""sr sra srs sras srta dr dra drs dras prof profa profs eng arq exmo exma ilmo ilma
        v.exa v.ex.ª sto sta av pça p.ex cf gen cel cap ten sgt maj pe fr mons vs des dep ver""",
    numbered="núm nº pág págs pp art arts fig figs vol cap tel ed inc",
    within="""etc ltda cia s.a a.c d.c a.m p.m eua e.u.a jan fev abr jun jul ago out nov dez aprox
        depto dpto mín máx min hab""",
    openers="""o a os as um uma uns umas ele ela eles elas eu tu você vocês nós é são era foi eram
        há não sim mas e ou se quando enquanto depois antes em no na nos nas de do da dos das ao à
        por para com sem como seu sua seus suas meu minha nosso nossa este esta isto esse essa isso
        aquele aquela então já assim também além embora porque que quem onde hoje ontem amanhã
        ninguém nada tudo todos cada muitos logo agora lá ali pelo pela""",
)
ITALIAN = _table(
    before="""sig sigg sig.ra sig.na sig.re dott dott.ssa dr prof prof.ssa proff avv ing arch geom
        rag on sen gen col cap ten mons ss sto p.es es cfr cf vs fr ill.mo egr gent spett ca v.le
        p.zza c.so""",
    numbered="num nr nn pp pag pagg art artt fig figg vol cap tel ed tab",
    within="""ecc etc a.c d.c s.p.a s.r.l s.n.c a.m p.m gen feb mar apr giu lug ago sett ott nov
        dic min sec max u.s.a""",
    openers="""il lo la i gli le l un uno una egli lui lei loro noi voi io tu è sono era fu erano
        c non sì no ma e o se quando mentre dopo prima in nel nella nei di del della a al alla da
        dal per con senza come suo sua suoi mio mia nostro questo questa quello quella allora poi
        già così anche inoltre benché perché che chi cosa dove oggi ieri domani nessuno niente
        tutto tutti ogni molti si ci vi mi ti ora adesso infine però dunque""",
)
RUSSIAN = _table(
    before="""г-н г-жа гг-да им проф акад доц канд ген полк кап ул пер просп пл пос дер обл р-н св
        т.е т.к т.н т.о напр см ср англ нем фр лат рус изд ред сост гр тов ст.-сл""",
    numbered="№ стр рис табл гл ст кв оф корп тел п пп вып том разд пар",
    within="""т.д т.п др пр гг вв н.э руб коп тыс млн млрд трлн чел экз мин сек час км кг см
        мм янв февр апр авг сент окт нояб дек и.о""",
    openers="""он она оно они я ты мы вы это этот эта эти тот та те но и а если когда пока после
        до перед в во на с со к ко у из от по за для без о об при как так что кто где почему зачем
        его её их мой моя наш наша свой тогда потом затем уже также однако хотя потому не нет да
        сегодня вчера завтра никто ничего все всё каждый многие там здесь тут теперь сейчас вот
        поэтому наконец""",
)
_TABLES = {
    "english": ENGLISH,
    "german": GERMAN,
    "french": FRENCH,
    "spanish": SPANISH,
    "portuguese": PORTUGUESE,
    "italian": ITALIAN,
    "russian": RUSSIAN,
    # these three have no full stops of their own to mistake: only embedded English does
    "chinese": ENGLISH,
    "japanese": ENGLISH,
    "korean": ENGLISH,
}
# Words of one language that are another's abbreviations; left out where the language is not known.
_DOUBTFUL = frozenset(
    "es on max min fr av pr pe ver des dep col med nat mind bes gem lt dir ed inc out ten ago mar"
    " cap rag arch phil sec dec mon od std"
)


@cache
def abbreviations(language: str | None) -> Abbreviations:
    """The table of a language by its lower-case name; all of them together for another or None."""
    if language in _TABLES:
        return _TABLES[language]
    tables = set(_TABLES.values())
    before, numbered, within, openers = (
        frozenset().union(*(getattr(table, field) for table in tables))
        for field in ("before", "numbered", "within", "openers")
    )
    return Abbreviations(before - _DOUBTFUL, numbered - _DOUBTFUL, within - _DOUBTFUL, openers)
