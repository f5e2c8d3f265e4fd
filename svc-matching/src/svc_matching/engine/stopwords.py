"""Words that carry no technology, by language; short on purpose, idf does the rest."""

from shared.kernel.text import strip_marks

ENGLISH = frozenset(
    """
    a about above after again against all also am an and any are as at be because been before being
    below between both but by can could did do does doing down during each either etc few for from
    further had has have having he her here hers him his how however i if in into is it its itself
    just may me might more most must my no nor not of off on once only or other our ours out over
    own per same shall she should so some such than that the their theirs them then there these
    they this those through thus to too under until up upon us use used using very via was we were
    what when where which while who whom why will with within without would you your yours
    """.split()
)

GERMAN = frozenset(
    """
    ab aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei bereits
    bin bis bist da damit dann das dass dem den denn der des dessen die dies diese diesem diesen
    dieser dieses doch dort du durch ein eine einem einen einer eines er es etwa etwas euch für gegen
    gewesen hab habe haben hat hatte hier hinter ich ihr ihre ihrem ihren ihrer im in ins ist ja
    jede jedem jeden jeder jedes kann kein keine können man mehr mit muss nach nicht noch nun nur ob
    oder ohne sehr sein seine seinem seinen seiner sich sie sind so sollen sondern sowie über um und
    uns unser unter vom von vor war waren was weil welche welcher wenn werden wie wird wir wo wurde
    wurden zu zum zur zwischen
    """.split()
)

VIETNAMESE = frozenset(
    """
    ai anh bà bằng bị bởi cả các cái cần càng chỉ cho chúng chứ có cũng của đã đang đây để đến đều
    đi đó được do em gì hay hãy hoặc hơn khi không là lại lên làm mà mỗi một nào này nên nếu ngay
    nhiều như nhưng những nó nơi nữa ở phải qua ra rằng rất rồi sau sẽ tại theo thì trên trong trước
    từ từng vẫn vào và vậy vì việc với vừa xuống
    """.split()
)

VIETNAMESE_FOLDED = frozenset(strip_marks(word) for word in VIETNAMESE)
